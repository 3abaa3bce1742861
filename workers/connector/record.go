package connector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/workload"
)

// groups is a set of field groups.
type groups uint8

const (
	content groups = 1 << iota
	price
	stock

	allGroups = content | price | stock
)

func (g groups) has(x groups) bool { return g&x != 0 }

// cause is why a SKU is pending, in one byte.
type cause uint8

const (
	causeChange cause = iota
	causeBackfill
	causeRules

	causes
)

func (c cause) String() workload.Cause {
	switch c {
	case causeBackfill:
		return workload.CauseBackfill
	case causeRules:
		return workload.CauseRules
	}
	return workload.CauseChange
}

// shown is what the channel was last read to show of a SKU: its confirmation.
type shown struct {
	// content is the hash of the content, 0 while it is not known.
	content  uint64
	enabled  bool
	hasPrice bool
	price    driver.Money
	hasStock bool
	// onHand, reserved and available as in driver.Stock.
	onHand, reserved, available int64
}

// record is all that the connector remembers of one SKU on its channel.
type record struct {
	ref driver.Ref
	// known is set once the SKU was looked for on the channel; absent says
	// that it was not found, duplicate that several listings bear it.
	known, absent, duplicate bool
	shown                    shown
	// unread asks for a reading before the next write: an outcome is unknown,
	// or an order of the channel moved the reserved units.
	unread bool
	// published is the hash of content and price of the last item.observed
	// fact, 0 for none.
	published uint64

	// managed are the groups that Selaras keeps here; of these, pending are to
	// be written, failed were rejected, drifted were changed by others.
	managed, pending, failed, drifted groups
	// since is when the SKU became pending (Unix nanoseconds of the hub's
	// time), sinceSeq the item sequence that made it so, cause why.
	since    int64
	sinceSeq uint64
	cause    cause

	// sent is the version of the newest intent that may have left.
	sent driver.Version
	// sending is set before a write leaves and cleared when its fate is known.
	sending bool
	// stocks are quantities that were written and may still land or may not
	// have been told to the ledger, newest last, at most maxStocks.
	stocks []int64
	// suspectUntil (Unix nanoseconds) is how long an unknown write may land;
	// suspectStep counts the readings made for it, suspectNext is the next.
	suspectUntil, suspectNext int64
	suspectStep               uint8

	// settling is set while a stock reading that nobody here wrote waits for
	// the orders that may explain it; settleOnHand is that reading and
	// settleSince when it was first made (Unix nanoseconds, local).
	settling     bool
	settleOnHand int64
	settleSince  int64

	// reason and message are the channel's for the failed groups, since
	// failedSince; retryAt is when they are tried again.
	reason, message      string
	failedSince, retryAt int64
}

const maxStocks = 4

// remember adds a quantity that may be found on the channel as ours.
func (r *record) remember(quantity int64) {
	if n := len(r.stocks); n > 0 && r.stocks[n-1] == quantity {
		return
	}
	if len(r.stocks) == maxStocks {
		r.stocks = append(r.stocks[:0], r.stocks[1:]...)
	}
	r.stocks = append(r.stocks, quantity)
}

// ours reports whether a quantity found on the channel may be a write of ours.
func (r *record) ours(quantity int64) bool {
	for _, s := range r.stocks {
		if s == quantity {
			return true
		}
	}
	return false
}

// certain reports whether a reading now ends all doubt about writes of unknown
// fate: they can land no more.
func (r *record) certain(now time.Time) bool {
	return len(r.stocks) > 0 && r.suspectUntil != 0 && r.suspectUntil <= now.UnixNano()
}

// fail marks groups as not taken by the channel.
func (r *record) fail(g groups, reason, message string, now, retryAt int64) {
	if r.failed == 0 {
		r.failedSince = now
	}
	r.failed |= g
	r.pending &^= g
	r.reason, r.message, r.retryAt = reason, bounded(message), retryAt
}

// unfail forgets the failure of groups.
func (r *record) unfail(g groups) {
	if r.failed &^= g; r.failed == 0 {
		r.reason, r.message, r.failedSince, r.retryAt = "", "", 0, 0
	}
}

const maxMessage = 256

func bounded(s string) string {
	n := maxMessage
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 { // not in the middle of a character
		n--
	}
	return s[:n]
}

// The stored form: a format byte, a bit set saying which parts follow, and the
// parts as varints. A SKU in sync takes about fifty bytes.
const recordFormat = 1

const (
	bitKnown = 1 << iota
	bitAbsent
	bitDuplicate
	bitUnread
	bitContent
	bitEnabled
	bitPrice
	bitStock
	bitPublished
	bitPending
	bitFailed
	bitSent
	bitSending
	bitStocks
	bitSuspect
	bitSettling
)

var errRecord = errors.New("unreadable record in the connector's store")

func (r *record) encode(b []byte) []byte {
	var bits uint64
	set := func(on bool, bit uint64) {
		if on {
			bits |= bit
		}
	}
	set(r.known, bitKnown)
	set(r.absent, bitAbsent)
	set(r.duplicate, bitDuplicate)
	set(r.unread, bitUnread)
	set(r.shown.content != 0, bitContent)
	set(r.shown.enabled, bitEnabled)
	set(r.shown.hasPrice, bitPrice)
	set(r.shown.hasStock, bitStock)
	set(r.published != 0, bitPublished)
	set(r.pending != 0, bitPending)
	set(r.failed != 0, bitFailed)
	set(r.sent != driver.Version{}, bitSent)
	set(r.sending, bitSending)
	set(len(r.stocks) > 0, bitStocks)
	set(r.suspectUntil != 0, bitSuspect)
	set(r.settling, bitSettling)

	b = append(b, recordFormat)
	b = binary.AppendUvarint(b, bits)
	b = append(b, byte(r.managed), byte(r.drifted))
	b = appendString(b, string(r.ref))
	if r.shown.content != 0 {
		b = binary.LittleEndian.AppendUint64(b, r.shown.content)
	}
	if r.shown.hasPrice {
		b = binary.AppendVarint(b, r.shown.price.Minor)
		b = appendString(b, r.shown.price.Currency)
	}
	if r.shown.hasStock {
		b = binary.AppendVarint(b, r.shown.onHand)
		b = binary.AppendVarint(b, r.shown.reserved)
		b = binary.AppendVarint(b, r.shown.available)
	}
	if r.published != 0 {
		b = binary.LittleEndian.AppendUint64(b, r.published)
	}
	if r.pending != 0 {
		b = append(b, byte(r.pending), byte(r.cause))
		b = binary.AppendVarint(b, r.since)
		b = binary.AppendUvarint(b, r.sinceSeq)
	}
	if r.failed != 0 {
		b = append(b, byte(r.failed))
		b = appendString(b, r.reason)
		b = appendString(b, r.message)
		b = binary.AppendVarint(b, r.failedSince)
		b = binary.AppendVarint(b, r.retryAt)
	}
	if r.sent != (driver.Version{}) {
		b = binary.AppendUvarint(b, r.sent.Epoch)
		b = binary.AppendUvarint(b, r.sent.Generation)
		b = binary.AppendUvarint(b, r.sent.Sequence)
	}
	if len(r.stocks) > 0 {
		b = append(b, byte(len(r.stocks)))
		for _, s := range r.stocks {
			b = binary.AppendVarint(b, s)
		}
	}
	if r.suspectUntil != 0 {
		b = binary.AppendVarint(b, r.suspectUntil)
		b = binary.AppendVarint(b, r.suspectNext)
		b = append(b, r.suspectStep)
	}
	if r.settling {
		b = binary.AppendVarint(b, r.settleOnHand)
		b = binary.AppendVarint(b, r.settleSince)
	}
	return b
}

// decode reads what encode wrote.
func (r *record) decode(b []byte) error {
	d := decoder{b: b}
	if f := d.byte(); f != recordFormat {
		return fmt.Errorf("%w: format %d", errRecord, f)
	}
	bits := d.uvarint()
	has := func(bit uint64) bool { return bits&bit != 0 }
	*r = record{
		known: has(bitKnown), absent: has(bitAbsent), duplicate: has(bitDuplicate),
		unread: has(bitUnread), sending: has(bitSending), settling: has(bitSettling),
		managed: groups(d.byte()), drifted: groups(d.byte()), ref: driver.Ref(d.string()),
	}
	r.shown.enabled = has(bitEnabled)
	if has(bitContent) {
		r.shown.content = d.fixed()
	}
	if has(bitPrice) {
		r.shown.hasPrice, r.shown.price = true, driver.Money{Minor: d.varint(), Currency: d.string()}
	}
	if has(bitStock) {
		r.shown.hasStock = true
		r.shown.onHand, r.shown.reserved, r.shown.available = d.varint(), d.varint(), d.varint()
	}
	if has(bitPublished) {
		r.published = d.fixed()
	}
	if has(bitPending) {
		r.pending, r.cause = groups(d.byte()), cause(d.byte())
		r.since, r.sinceSeq = d.varint(), d.uvarint()
	}
	if has(bitFailed) {
		r.failed = groups(d.byte())
		r.reason, r.message = d.string(), d.string()
		r.failedSince, r.retryAt = d.varint(), d.varint()
	}
	if has(bitSent) {
		r.sent = driver.Version{Epoch: d.uvarint(), Generation: d.uvarint(), Sequence: d.uvarint()}
	}
	if has(bitStocks) {
		for range d.byte() {
			r.stocks = append(r.stocks, d.varint())
		}
	}
	if has(bitSuspect) {
		r.suspectUntil, r.suspectNext, r.suspectStep = d.varint(), d.varint(), d.byte()
	}
	if r.settling {
		r.settleOnHand, r.settleSince = d.varint(), d.varint()
	}
	if d.bad {
		return fmt.Errorf("%w: it ends too early", errRecord)
	}
	return nil
}

// bitsBusy are the parts of a record that is not simply at rest.
const bitsBusy = bitPending | bitFailed | bitSending | bitSuspect | bitSettling

// glance tells how a stored record counts, and whether there is nothing to do
// for it. Almost every record of a start is at rest, and its first bytes say
// all of it.
func glance(b []byte) (c class, quiet bool, err error) {
	d := decoder{b: b}
	format, bits := d.byte(), d.uvarint()
	managed, drifted := groups(d.byte()), groups(d.byte())
	if format == recordFormat && !d.bad && bits&bitsBusy == 0 {
		return class{
			managed: managed, drifted: drifted,
			duplicate: bits&bitDuplicate != 0, exists: bits&(bitKnown|bitAbsent) == bitKnown,
		}, true, nil
	}
	var r record
	if err := r.decode(b); err != nil {
		return class{}, false, err
	}
	return classOf(&r), false, nil
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) < 1 {
		d.bad = true
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) fixed() uint64 {
	if len(d.b) < 8 {
		d.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string {
	n := d.uvarint()
	if uint64(len(d.b)) < n {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}
