package shopify

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// Options are the habits of a simulated shop.
type Options struct {
	// Number tells one shop from another: ids are of one shop.
	Number int64
	// Currency is the shop's, USD when empty.
	Currency string
	// IndexLag is how far searches are behind the data.
	IndexLag time.Duration
	// BucketSize and RestoreRate are the points of the API's bucket; those of the
	// smallest plan when zero.
	BucketSize, RestoreRate float64
	// ThrottleByStatus answers requests that find too few points with status
	// 429, and not with 200 and an error.
	ThrottleByStatus bool
	// Serves is the version that answers every request, as one that is not
	// simulated does later; empty is the one that is asked for.
	Serves string
	// Hooks are the habits of webhooks.
	Hooks HookOptions
}

// The points of the smallest plan.
const (
	defaultBucket  = 2000
	defaultRestore = 100
)

// Shop is a simulated shop. All methods may be called at any time.
type Shop struct {
	o      Options
	schema *ast.Schema
	index  *index
	bucket *bucket
	hooks  *hooks

	mu           sync.Mutex
	nextID       int64
	id           int64
	locations    []*location
	publications []*publication
	products     []*product
	variants     []*variant
	orders       []*order
	apps         map[string]*app
	keys         map[string]*keyRecord
	requests     []Request
	refused      []string
	costs        map[string]float64
	fault        func(Request) Fault
	before       map[string]func()
	late         []func()
	broken       bool
	frozen       chan struct{} // closed when it is not
}

type location struct {
	id   int64
	name string
}

type publication struct {
	id   int64
	name string
}

type product struct {
	id                         int64
	handle, title, description string
	status                     string
	options                    []string
	variants                   []*variant
	published                  map[int64]bool
	updatedAt                  time.Time
}

type variant struct {
	id, item  int64
	sku       string
	price     string
	values    []string
	tracked   bool
	metafield map[string]string // by namespace and key
	product   *product
	levels    map[int64]*level
	updatedAt time.Time
}

type level struct {
	id                   int64
	available, committed int64
	updatedAt            time.Time
}

func (l *level) onHand() int64 { return l.available + l.committed }

// The option of a product that has none.
const (
	plainOption = "Title"
	plainValue  = "Default Title"
)

func (p *product) plain() bool {
	return len(p.variants) == 1 && len(p.options) == 1 && p.options[0] == plainOption && p.variants[0].values[0] == plainValue
}

func (v *variant) title() string { return strings.Join(v.values, " / ") }

// New makes a shop without products, with two locations and two sales channels.
func New(o Options) *Shop {
	if o.Currency == "" {
		o.Currency = "USD"
	}
	if o.BucketSize == 0 {
		o.BucketSize, o.RestoreRate = defaultBucket, defaultRestore
	}
	s := &Shop{
		o: o, schema: Schema(), index: newIndex(o.IndexLag), bucket: newBucket(o.BucketSize, o.RestoreRate),
		apps: map[string]*app{}, keys: map[string]*keyRecord{}, before: map[string]func(){}, costs: map[string]float64{}, nextID: 1_000_000_000, frozen: make(chan struct{}),
	}
	close(s.frozen)
	s.nextID += o.Number * 100_000_000
	s.hooks = newHooks(o.Hooks)
	s.id = s.newID()
	for _, name := range []string{"Main", "Store room"} {
		s.locations = append(s.locations, &location{id: s.newID(), name: name})
	}
	for _, name := range []string{"Point of Sale", "Online Store"} {
		s.publications = append(s.publications, &publication{id: s.newID(), name: name})
	}
	return s
}

// Close ends deliveries and waits for them.
func (s *Shop) Close() { s.hooks.close() }

// Domain is the shop's own domain.
func (s *Shop) Domain() string { return "simulated.myshopify.com" }

// newID makes an id; ids grow. The lock is held.
func (s *Shop) newID() int64 {
	s.nextID += 7
	return s.nextID
}

// now is the shop's time: Shopify tells whole seconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

func gid(kind string, id int64) string { return fmt.Sprintf("gid://shopify/%s/%d", kind, id) }

// numberOf is the number in a global id of the kind.
func numberOf(kind, id string) (int64, bool) {
	var n int64
	rest, ok := strings.CutPrefix(id, "gid://shopify/"+kind+"/")
	if !ok {
		return 0, false
	}
	_, err := fmt.Sscanf(rest, "%d", &n)
	return n, err == nil
}

func (s *Shop) productByID(id int64) *product {
	for _, p := range s.products {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (s *Shop) productByHandle(handle string) *product {
	for _, p := range s.products {
		if p.handle == handle {
			return p
		}
	}
	return nil
}

// variantByID finds a variant by its own id or that of its inventory item.
func (s *Shop) variantByID(id int64) *variant {
	for _, v := range s.variants {
		if v.id == id || v.item == id {
			return v
		}
	}
	return nil
}

func (s *Shop) variantsBySKU(sku string) []*variant {
	var all []*variant
	for _, v := range s.variants {
		if v.sku == sku {
			all = append(all, v)
		}
	}
	return all
}

func (s *Shop) hasLocation(id int64) bool {
	for _, l := range s.locations {
		if l.id == id {
			return true
		}
	}
	return false
}

// levelAt is the variant's level at the location, made where there is none. The
// lock is held.
func (s *Shop) levelAt(v *variant, location int64) *level {
	l := v.levels[location]
	if l == nil {
		l = &level{id: s.newID()}
		v.levels[location] = l
	}
	return l
}

// touch notes a change of a product and some of its variants: by then, their
// times are new, and the index follows. The lock is held.
func (s *Shop) touch(p *product, variants ...*variant) {
	at := now()
	p.updatedAt = at
	s.index.set("product", p.id, fields{"updated_at": at})
	for _, v := range variants {
		v.updatedAt = at
		s.index.set("variant", v.id, fields{"sku": v.sku})
	}
	s.hooks.product(p, "products/update")
}

// touchLevel notes a change of a quantity. An adjustment counts as a change of
// the product. The lock is held.
func (s *Shop) touchLevel(v *variant, location int64) {
	l := v.levels[location]
	l.updatedAt = now()
	s.index.set(levelsOf(location), v.id, fields{"updated_at": l.updatedAt})
	v.product.updatedAt = l.updatedAt
	s.index.set("product", v.product.id, fields{"updated_at": l.updatedAt})
	s.hooks.level(v, location, l)
}

func levelsOf(location int64) string { return fmt.Sprintf("level@%d", location) }
