package connector

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// want is what the channel should show of one SKU, over all the sources that
// feed it.
type want struct {
	// managed are the groups that Selaras keeps here and knows a value of.
	managed groups
	content *driver.Content
	price   *driver.Money
	// available is what buyers should see, open what the channel holds reserved
	// by the orders that available is already short of.
	available, open int64
	// absent items should not be for sale.
	absent bool
	// seq and time (Unix nanoseconds of the hub) are of the newest item.
	seq  uint64
	time int64
	// at is the sources' own time of the latest change, zero if unknown.
	at [3]time.Time
	// invalid are groups that have no value the channel could show, reason
	// and message say why.
	invalid         groups
	reason, message string
}

// hasATS reports whether a stored item tells what may be sold.
func hasATS(data []byte) bool {
	var item catalog.Item
	return json.Unmarshal(data, &item) == nil && item.ATS != nil
}

// abilities is what a connection and its channel type can do, as far as the
// choice of work depends on it.
type abilities struct {
	basis           driver.StockBasis
	maxQuantity     int64
	creates         bool
	removes         bool
	gets            bool
	orders          bool
	returnsStored   bool
	orderVisibility time.Duration
	horizon         time.Duration
}

// itemReader reads a stored item.
type itemReader func(source, sku string) (storedItem, bool, error)

// project works out what the channel should show of a SKU.
func (r *routes) project(sku string, read itemReader) (want, error) {
	var w want
	for i := range r.feeds {
		stored, ok, err := read(r.feeds[i].source, sku)
		if err != nil {
			return want{}, err
		}
		if ok {
			w.add(&r.feeds[i], stored, r.self)
		}
	}
	return w, nil
}

// add takes in what one source's item asks for of a channel.
func (w *want) add(f *feed, stored storedItem, channel string) {
	if stored.seq > w.seq {
		w.seq, w.time = stored.seq, stored.time
	}
	var item catalog.Item
	if err := json.Unmarshal(stored.data, &item); err != nil {
		w.refuse(f.groups, "UnreadableItem", fmt.Sprintf("item %d of %s: %v", stored.seq, f.source, err))
		return
	}
	d, err := catalog.Project(item, &f.rules)
	if err != nil {
		w.refuse(f.groups&price, "PriceRule", err.Error())
	}
	if d.Absent {
		w.absent = true
		w.managed |= f.groups
		return
	}
	if d.Content != nil {
		w.managed |= content
		w.content, w.at[0] = d.Content, item.ContentAt
	}
	if d.Price != nil && err == nil {
		w.managed |= price
		w.price, w.at[1] = d.Price, item.PriceAt
	}
	if d.Available != nil {
		w.managed |= stock
		w.available, w.at[2] = *d.Available, item.StockAt
		w.open = item.Open[channel]
	}
}

func (w *want) refuse(g groups, reason, message string) {
	w.managed |= g
	w.invalid |= g
	w.reason, w.message = reason, message
}

// same are the groups in which two wants ask for the same.
func (w *want) same(o *want) groups {
	var g groups
	if w.absent != o.absent {
		return 0
	}
	both := func(x groups) bool {
		return w.managed.has(x) == o.managed.has(x) && w.invalid.has(x) == o.invalid.has(x)
	}
	if both(content) && (w.content == nil) == (o.content == nil) && (w.content == nil || hashContent(w.content) == hashContent(o.content)) {
		g |= content
	}
	if both(price) && (w.price == nil) == (o.price == nil) && (w.price == nil || *w.price == *o.price) {
		g |= price
	}
	if both(stock) && w.available == o.available {
		g |= stock
	}
	return g
}

// quantity is what the channel should store so that buyers see what they
// should, in the basis of the channel.
func (w *want) quantity(r *record, a *abilities) int64 {
	available := w.available
	if w.absent {
		available = 0
	}
	return catalog.StockValue(available, r.shown.reserved, a.basis, a.maxQuantity)
}

// stored is the stock the channel was last read to store, in its basis.
func (s *shown) stored(basis driver.StockBasis) int64 {
	if basis == driver.BasisAvailable {
		return s.available
	}
	return s.onHand
}

// differing are the managed groups in which the channel does not show what it
// should. Of a SKU that was never read, all differ.
func (w *want) differing(r *record, a *abilities) groups {
	valid := w.managed &^ w.invalid
	if w.managed == 0 {
		return 0
	}
	if !r.known {
		return valid
	}
	if w.absent {
		return w.leaving(r, a)
	}
	if r.absent {
		if w.content == nil && w.managed.has(content) {
			return 0
		}
		return valid
	}
	var g groups
	if valid.has(content) && r.shown.content != hashContent(w.content) {
		g |= content
	}
	if valid.has(price) && (!r.shown.hasPrice || r.shown.price != *w.price) {
		g |= price
	}
	if valid.has(stock) && (!r.shown.hasStock || r.shown.stored(a.basis) != w.quantity(r, a)) {
		g |= stock
	}
	return g
}

// leaving are the groups by which a listing is taken out of sale.
func (w *want) leaving(r *record, a *abilities) groups {
	switch {
	case r.absent:
		return 0
	case a.removes && w.managed.has(content):
		if r.shown.enabled {
			return content
		}
	case w.managed.has(stock):
		if !r.shown.hasStock || r.shown.stored(a.basis) != w.quantity(r, a) {
			return stock
		}
	}
	return 0
}

// intent is the write of some groups.
func (w *want) intent(sku string, r *record, g groups, a *abilities, version driver.Version) driver.Intent {
	i := driver.Intent{Key: driver.Key{SKU: sku, Ref: r.ref}, Version: version}
	if g.has(content) {
		i.Content = w.content
	}
	if g.has(price) {
		i.Price = w.price
	}
	if g.has(stock) {
		i.Stock = &driver.StockWrite{Quantity: w.quantity(r, a)}
		if r.known && !r.absent && r.shown.hasStock {
			previous := r.shown.stored(a.basis)
			i.Stock.Previous = &previous
		}
	}
	return i
}

// groupsOf are the groups an intent writes.
func groupsOf(i *driver.Intent) groups {
	var g groups
	if i.Content != nil {
		g |= content
	}
	if i.Price != nil {
		g |= price
	}
	if i.Stock != nil {
		g |= stock
	}
	return g
}

// matches are the groups of an intent that a reading shows as intended.
func matches(i *driver.Intent, s *shown, basis driver.StockBasis) groups {
	var g groups
	if i.Content != nil && s.content == hashContent(i.Content) {
		g |= content
	}
	if i.Price != nil && s.hasPrice && s.price == *i.Price {
		g |= price
	}
	if i.Stock != nil && s.hasStock && s.stored(basis) == i.Stock.Quantity {
		g |= stock
	}
	return g
}

// showing is what a listing shows.
func showing(l *driver.Listing) shown {
	s := shown{content: hashContent(&l.Content), enabled: l.Content.Enabled}
	if l.Price != nil {
		s.hasPrice, s.price = true, *l.Price
	}
	if l.Stock != nil {
		s.hasStock, s.onHand, s.reserved, s.available = true, l.Stock.OnHand, l.Stock.Reserved, l.Stock.Available
	}
	return s
}

// hashContent is never 0. FNV-1a over the fields, each ended so that no two
// contents run together; what catalog.Matches takes for equal has one hash.
func hashContent(c *driver.Content) uint64 {
	h := fnvStart
	h = fnvString(h, c.Product.Key)
	h = fnvString(h, c.Product.Title)
	h = fnvString(h, c.Product.Description)
	h = fnvString(h, c.Title)
	var options uint64 // in any order
	for _, o := range c.Options {
		options += fnvString(fnvString(fnvStart, o.Name), o.Value)
	}
	h = (h ^ options) * fnvPrime
	if c.Enabled {
		h = fnvString(h, "enabled")
	}
	if h == 0 {
		return 1
	}
	return h
}

// hashItem is of what a source publishes of a listing; never 0.
func hashItem(l *driver.Listing) uint64 {
	h := hashContent(&l.Content)
	if l.Price != nil {
		h = fnvString(h^uint64(l.Price.Minor)*fnvPrime, l.Price.Currency)
	}
	if h == 0 {
		return 1
	}
	return h
}

const (
	fnvStart uint64 = 14695981039346656037
	fnvPrime uint64 = 1099511628211
)

func fnvString(h uint64, s string) uint64 {
	s = plain(s)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return (h ^ 0xff) * fnvPrime // 0xff is in no UTF-8 text
}

// plain is the form in which texts are compared (catalog.Matches): channels
// change line ends, surrounding space and Unicode's form as they like.
func plain(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] == '\r' || s[i] >= utf8.RuneSelf || s[i] <= ' ' && (i == 0 || i == len(s)-1) {
			return strings.TrimSpace(norm.NFC.String(strings.ReplaceAll(s, "\r\n", "\n")))
		}
	}
	return s
}

// seed of hashes that stay in memory.
var seed = maphash.MakeSeed()

func hashString(s string) uint64 { return maphash.String(seed, s) }

const defaultMaxQuantity = math.MaxInt32

// abilitiesOf reads a connection and its driver's description.
func abilitiesOf(c driver.Connection, d driver.Description) abilities {
	t := d.Traits
	a := abilities{
		basis: t.StockBasis, maxQuantity: t.MaxQuantity, returnsStored: t.WriteReturnsStored,
		orderVisibility: t.OrderVisibility, horizon: t.LateWriteHorizon,
	}
	_, a.creates = c.(driver.ListingCreator)
	_, a.removes = c.(driver.ListingRemover)
	_, a.gets = c.(driver.ListingGetter)
	_, a.orders = c.(driver.OrderReader)
	if a.basis == "" {
		a.basis = driver.BasisOnHand
	}
	if a.maxQuantity == 0 {
		a.maxQuantity = defaultMaxQuantity
	}
	if a.orderVisibility == 0 {
		a.orderVisibility = 30 * time.Second
	}
	if a.horizon == 0 {
		a.horizon = 15 * time.Minute
	}
	return a
}
