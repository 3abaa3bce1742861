package connector

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
)

// drawRecord draws any record that the store may hold: what belongs together
// is set together.
func drawRecord(t *rapid.T) record {
	yes := func(name string) bool { return rapid.Bool().Draw(t, name) }
	number := func(name string) int64 { return rapid.Int64().Draw(t, name) }
	some := func(name string) groups { return groups(rapid.Uint8Range(0, uint8(allGroups)).Draw(t, name)) }
	r := record{
		ref: driver.Ref(rapid.String().Draw(t, "ref")), known: yes("known"), absent: yes("absent"), duplicate: yes("duplicate"), unread: yes("unread"),
		published: rapid.Uint64().Draw(t, "published"), managed: some("managed"), drifted: some("drifted"), sending: yes("sending"),
		shown: shown{content: rapid.Uint64().Draw(t, "content"), enabled: yes("enabled"), hasPrice: yes("has a price"), hasStock: yes("has stock")},
	}
	if r.shown.hasPrice {
		r.shown.price = driver.Money{Minor: number("minor"), Currency: rapid.SampledFrom([]string{"EUR", "JPY", "TND"}).Draw(t, "currency")}
	}
	if r.shown.hasStock {
		r.shown.onHand, r.shown.reserved, r.shown.available = number("on hand"), number("reserved"), number("available")
	}
	if r.pending = some("pending"); r.pending != 0 {
		r.cause, r.since, r.sinceSeq = cause(rapid.Uint8Range(0, 2).Draw(t, "cause")), number("since"), rapid.Uint64().Draw(t, "since sequence")
	}
	if r.failed = some("failed"); r.failed != 0 {
		r.reason, r.message = rapid.String().Draw(t, "reason"), rapid.String().Draw(t, "message")
		r.failedSince, r.retryAt = number("failed since"), number("retry at")
	}
	if yes("sent") {
		r.sent = driver.Version{Epoch: rapid.Uint64().Draw(t, "epoch"), Generation: rapid.Uint64().Draw(t, "generation"), Sequence: rapid.Uint64().Draw(t, "sequence")}
	}
	r.stocks = rapid.SliceOfN(rapid.Int64(), 0, maxStocks).Draw(t, "stocks")
	if len(r.stocks) == 0 {
		r.stocks = nil
	}
	if r.suspectUntil = number("suspect until"); r.suspectUntil != 0 {
		r.suspectNext, r.suspectStep = number("suspect next"), rapid.Uint8().Draw(t, "suspect step")
	}
	if r.settling = yes("settling"); r.settling {
		r.settleOnHand, r.settleSince = number("settle on hand"), number("settle since")
	}
	return r
}

func TestARecordIsReadAsItWasStored(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		was := drawRecord(t)
		var now record
		if err := now.decode(was.encode(nil)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(was, now) {
			t.Fatalf("stored %+v, read %+v", was, now)
		}
	})
}

// A start counts SKUs and finds what is to be done for them at a glance, as
// reading all of each record would.
func TestAGlanceTellsWhatTheRecordTells(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		got, quiet, err := glance(r.encode(nil))
		if err != nil {
			t.Fatal(err)
		}
		if want := classOf(&r); got != want {
			t.Fatalf("%+v counts as %+v, want %+v", r, got, want)
		}
		if busy := r.pending != 0 || r.failed != 0 || r.sending || r.suspectUntil != 0 || r.settling; quiet == busy {
			t.Fatalf("%+v: at rest %v, want %v", r, quiet, !busy)
		}
	})
}

func TestAGlanceRefusesWhatNoRecordIs(t *testing.T) {
	t.Parallel()
	whole := (&record{known: true, ref: "1", pending: stock}).encode(nil)
	for _, b := range [][]byte{nil, {}, {recordFormat + 1, 0, 0, 0}, {recordFormat}, whole[:len(whole)-1]} {
		if _, _, err := glance(b); err == nil {
			t.Errorf("%x passes for a record", b)
		}
	}
}
