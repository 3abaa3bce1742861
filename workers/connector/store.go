package connector

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
)

// store is the connector's memory on disk: the items it was told, the record
// of every SKU, and how far it has read. A batch of changes lands whole or not
// at all, and never before the batches that went before it.
//
//	m                       meta
//	i <source> 0 <sku>      item: sequence, hub time, JSON
//	s <sku>                 record
//	r <ref>                 SKU that the listing was last published under
type store struct {
	db *pebble.DB
	// hook is called before every commit with its number, for tests that crash
	// there.
	hook    func(n int) error
	commits int
}

// meta is what the store knows of the whole, beside single SKUs.
type meta struct {
	// Position in the hub's record stream up to which everything is stored.
	Seq   uint64 `json:"seq"`
	Epoch uint64 `json:"epoch"`
	// Cursor is the newest fold cursor that was delivered.
	FactSeq uint64 `json:"factSeq"`
	// Rules is the hash of the rules by which the records were last projected,
	// Generation the revision of the configuration they came from.
	Rules      uint64 `json:"rules"`
	Generation uint64 `json:"generation"`
	// Changes and Orders are the channel's own positions; everything before
	// them is durable as facts.
	Changes string `json:"changes,omitempty"`
	Orders  string `json:"orders,omitempty"`
	// Baselined is set when every order that was open at first has been told.
	Baselined bool `json:"baselined,omitempty"`
	// Account is the account all this was read from, Shop its own mark: the
	// shop that Orders is a position in.
	Account string `json:"account,omitempty"`
	Shop    string `json:"shop,omitempty"`
	// Source is set while the channel is a source of items, Owner while it is
	// one of stock: all of it has been, or is being, told.
	Source bool `json:"source,omitempty"`
	Owner  bool `json:"owner,omitempty"`
	// Compared is when the last full comparison ended, zero for never;
	// Again asks for one more at a time.
	Compared time.Time `json:"compared,omitzero"`
	Again    time.Time `json:"again,omitzero"`
	Listings int       `json:"listings,omitempty"`
	// Unusable is how many listings it met whose SKU cannot be one.
	Unusable int `json:"unusable,omitempty"`
	// Requested are the tokens whose comparison is done, by who asked.
	Requested map[string]string `json:"requested,omitempty"`
	// Revision is at least the last number given to a reading of stock.
	Revision uint64 `json:"revision,omitempty"`
	// UID is the Channel's UID; another one starts from nothing.
	UID string `json:"uid,omitempty"`
}

var (
	keyMeta      = []byte("m")
	itemsFrom    = []byte("i")
	itemsTo      = []byte("j")
	recordsFrom  = []byte("s")
	recordsTo    = []byte("t")
	refsFrom     = []byte("r")
	refsTo       = []byte("s")
	errStore     = errors.New("the connector's store")
	cacheBytes   = int64(32 << 20)
	memTableSize = uint64(4 << 20)
)

// openStore opens or makes the store in a directory. fs is nil but for tests.
func openStore(dir string, fs vfs.FS, log *slog.Logger) (*store, error) {
	db, err := pebble.Open(dir, &pebble.Options{
		FS: fs, FormatMajorVersion: pebble.FormatNewest,
		// Whole catalogs pass through here once; a large cache would only hold
		// memory for what is not looked at again.
		CacheSize: cacheBytes, MemTableSize: memTableSize, MaxOpenFiles: 200,
		Logger: pebbleLog{log},
	})
	if err != nil {
		return nil, fmt.Errorf("open %w in %s: %w", errStore, dir, err)
	}
	return &store{db: db}, nil
}

func (s *store) close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close %w: %w", errStore, err)
	}
	return nil
}

func (s *store) readMeta() (meta, error) {
	var m meta
	found, err := s.get(keyMeta, func(b []byte) error { return json.Unmarshal(b, &m) })
	if err != nil || !found {
		return meta{}, err
	}
	return m, nil
}

// get calls fn with a value that is valid during the call only.
func (s *store) get(key []byte, fn func([]byte) error) (bool, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %w: %w", errStore, err)
	}
	defer func() { _ = closer.Close() }() // gives the value back, cannot fail
	if err := fn(value); err != nil {
		return false, fmt.Errorf("read %w: %w", errStore, err)
	}
	return true, nil
}

// readRecord reads the record of a SKU; the zero record if there is none.
func (s *store) readRecord(sku string, r *record) (bool, error) {
	return s.get(recordKey(sku), r.decode)
}

// publishedAs returns the SKU that a listing was last published under, empty if
// it never was.
func (s *store) publishedAs(ref driver.Ref) (string, error) {
	var sku string
	_, err := s.get(refKey(ref), func(b []byte) error {
		sku = string(b)
		return nil
	})
	return sku, err
}

// storedItem is an item as the hub delivered it.
type storedItem struct {
	seq  uint64
	time int64 // Unix nanoseconds of the hub
	data []byte
}

func (i storedItem) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, i.seq)
	b = binary.AppendVarint(b, i.time)
	return append(b, i.data...)
}

func decodeItem(b []byte) (storedItem, error) {
	d := decoder{b: b}
	i := storedItem{seq: d.uvarint(), time: d.varint()}
	if d.bad {
		return storedItem{}, fmt.Errorf("%w: an item ends too early", errRecord)
	}
	i.data = d.b
	return i, nil
}

// readItem reads an item of a source; its data is a copy.
func (s *store) readItem(source, sku string) (storedItem, bool, error) {
	var item storedItem
	found, err := s.get(itemKey(source, sku), func(b []byte) (err error) {
		item, err = decodeItem(append([]byte(nil), b...))
		return err
	})
	return item, found, err
}

// eachRecord calls fn for the records after a SKU, in their order, at most n;
// it returns the last SKU, and false when there are no more.
func (s *store) eachRecord(after string, n int, fn func(sku string, r *record) error) (string, bool, error) {
	return s.walk(recordsFrom, recordsTo, recordKey(after), n, func(k, v []byte) error {
		var r record
		if err := r.decode(v); err != nil {
			return fmt.Errorf("SKU %q: %w", k, err)
		}
		return fn(string(k), &r)
	})
}

// glanceEach calls fn for the same records, each with what can be told at a
// glance; the SKU is valid during the call only.
func (s *store) glanceEach(after string, n int, fn func(sku []byte, c class, quiet bool)) (string, bool, error) {
	return s.walk(recordsFrom, recordsTo, recordKey(after), n, func(k, v []byte) error {
		c, quiet, err := glance(v)
		if err != nil {
			return fmt.Errorf("SKU %q: %w", k, err)
		}
		fn(k, c, quiet)
		return nil
	})
}

// eachItem does the same over the items of a source.
func (s *store) eachItem(source, after string, n int, fn func(sku string) error) (string, bool, error) {
	prefix := itemKey(source, "")
	end := append([]byte(nil), prefix...)
	end[len(end)-1] = 1
	return s.walk(prefix, end, itemKey(source, after), n, func(k, _ []byte) error { return fn(string(k)) })
}

func (s *store) walk(prefix, end, after []byte, n int, fn func(k, v []byte) error) (string, bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: end})
	if err != nil {
		return "", false, fmt.Errorf("read %w: %w", errStore, err)
	}
	defer func() { _ = it.Close() }() // its errors were told by Error
	var last []byte
	count := 0
	valid := it.SeekGE(after)
	if valid && string(it.Key()) == string(after) {
		valid = it.Next()
	}
	for ; valid; valid = it.Next() {
		if count == n {
			return string(last), true, it.Error()
		}
		k := it.Key()[len(prefix):]
		if err := fn(k, it.Value()); err != nil {
			return "", false, err
		}
		last = append(last[:0], k...)
		count++
	}
	if err := it.Error(); err != nil {
		return "", false, fmt.Errorf("read %w: %w", errStore, err)
	}
	return string(last), false, nil
}

// change is a batch of changes that lands whole.
type change struct {
	s *store
	b *pebble.Batch
}

func (s *store) begin() *change { return &change{s: s, b: s.db.NewBatch()} }

func (c *change) dropRecord(sku string) error {
	if err := c.b.Delete(recordKey(sku), nil); err != nil {
		return fmt.Errorf("write %w: %w", errStore, err)
	}
	return nil
}

func (c *change) putItem(source, sku string, i storedItem) error {
	return c.put(itemKey(source, sku), i.encode(make([]byte, 0, len(i.data)+16)))
}

func (c *change) dropItem(source, sku string) error {
	if err := c.b.Delete(itemKey(source, sku), nil); err != nil {
		return fmt.Errorf("write %w: %w", errStore, err)
	}
	return nil
}

// dropItems forgets the items of every source.
func (c *change) dropItems() error {
	if err := c.b.DeleteRange(itemsFrom, itemsTo, nil); err != nil {
		return fmt.Errorf("write %w: %w", errStore, err)
	}
	return nil
}

// dropRecords forgets all SKUs and what they were published as.
func (c *change) dropRecords() error {
	if err := errors.Join(c.b.DeleteRange(recordsFrom, recordsTo, nil), c.b.DeleteRange(refsFrom, refsTo, nil)); err != nil {
		return fmt.Errorf("write %w: %w", errStore, err)
	}
	return nil
}

func (c *change) dropRef(ref driver.Ref) error {
	if err := c.b.Delete(refKey(ref), nil); err != nil {
		return fmt.Errorf("write %w: %w", errStore, err)
	}
	return nil
}

func (c *change) putMeta(m meta) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the position: %w", err)
	}
	return c.put(keyMeta, b)
}

func (c *change) put(key, value []byte) error {
	if err := c.b.Set(key, value, nil); err != nil {
		return fmt.Errorf("write %w: %w", errStore, err)
	}
	return nil
}

// commit lands the batch. Synced batches are on disk when it returns; others
// may be lost with everything after them when the machine stops.
func (c *change) commit(synced bool) error {
	defer func() { _ = c.b.Close() }() // committed or not, nothing is left in it
	if c.b.Empty() {
		return nil
	}
	c.s.commits++
	if c.s.hook != nil {
		if err := c.s.hook(c.s.commits); err != nil {
			return err
		}
	}
	o := pebble.NoSync
	if synced {
		o = pebble.Sync
	}
	if err := c.b.Commit(o); err != nil {
		return fmt.Errorf("write %w: %w", errStore, err)
	}
	return nil
}

func (c *change) abandon() { _ = c.b.Close() } // an unused batch holds nothing worth an error

func recordKey(sku string) []byte { return append([]byte("s"), sku...) }

func refKey(ref driver.Ref) []byte { return append([]byte("r"), ref...) }

func itemKey(source, sku string) []byte {
	b := make([]byte, 0, len(source)+len(sku)+2)
	b = append(b, 'i')
	b = append(b, source...)
	b = append(b, 0)
	return append(b, sku...)
}

// position is where reading the hub goes on.
func (m meta) position() hub.Position { return hub.Position{Seq: m.Seq, Epoch: m.Epoch} }

type pebbleLog struct{ log *slog.Logger }

func (pebbleLog) Infof(string, ...any) {} // compactions and flushes, by the dozen
func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Error("connector store", "message", fmt.Sprintf(format, args...))
}
func (l pebbleLog) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf("connector store: "+format, args...))
}
