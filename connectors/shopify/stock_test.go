package shopify_test

import (
	"testing"

	"selaras.dev/selaras/connectors/driver"
	sim "selaras.dev/selaras/test/simulators/shopify"
)

// A quantity that was worked out from a reading which no longer holds is not
// written, and the others are.
func TestAQuantityIsSetOnlyIfTheOneItReplacesStillHolds(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A", "B", "C")
	c := shop.open(t)
	is(t, written(t, c, set("A", 7, 10), set("B", 7, 9), set("C", 10, 10)), "Accepted", "Failed Stale", "Accepted")
	shop.has(t, map[string]int64{"A": 7, "B": 10, "C": 10})
	if sent := shop.sent("SetQuantities"); len(sent) != 1 || len(sent[0]["input"].(map[string]any)["quantities"].([]any)) != 1 {
		t.Errorf("sent %v, want the one quantity that can be set and is not stored already", sent)
	}
}

// Somebody buys between the reading and the write: the shop says which items are
// to blame, and the others are written without them.
func TestAnItemThatSellsMeanwhileKeepsNoneOfTheOthersBack(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A", "B", "C")
	c := shop.open(t)
	shop.Before("SetQuantities", func() {
		if _, err := shop.PlaceOrder(sim.Line{SKU: "B", Units: 1}); err != nil {
			t.Error(err)
		}
	})
	is(t, written(t, c, set("A", 7, 10), set("B", 7, 10), set("C", 7, 10)), "Accepted", "Failed Stale", "Accepted")
	shop.has(t, map[string]int64{"A": 7, "B": 9, "C": 7})
}

// The answer is lost: nobody knows. The same write again has the same key, and
// the shop carries it out once, whatever happened to the quantity since.
func TestALostAnswerIsRepeatedUnderTheSameKey(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	shop.late(t, c, set("A", 7, 10))
	// The first is still under way: its fate is not known yet.
	_, err := c.WriteIntents(t.Context(), []driver.Intent{set("A", 7, 10)})
	if e := failure(t, err, driver.ClassUnknown); e.Reason != "StillUnderWay" {
		t.Errorf("got %v", e)
	}
	shop.has(t, map[string]int64{"A": 10})
	shop.Land()
	shop.has(t, map[string]int64{"A": 7})
	sent := shop.sent("SetQuantities")
	if len(sent) != 2 || sent[0]["key"] != sent[1]["key"] {
		t.Errorf("sent %v, want one key twice", sent)
	}
}

// A write that lands after a newer one finds another quantity than it expects,
// and takes no effect (I2).
func TestALateWriteTakesNoEffectAfterANewerOne(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	shop.late(t, c, set("A", 7, 10))
	newer := set("A", 4, 10)
	newer.Version.Sequence = 2
	is(t, written(t, c, newer), "Accepted")
	if shop.Land() != 1 {
		t.Error("nothing landed")
	}
	shop.has(t, map[string]int64{"A": 4})
}

// Somebody puts the old quantity back, and the same intent is written again: a
// shop that knew the key would say that it is done, and do nothing.
func TestTheSameIntentAgainIsAnotherWrite(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	for range 3 {
		is(t, written(t, c, set("A", 7, 10)), "Accepted")
		shop.has(t, map[string]int64{"A": 7})
		if err := shop.SetAvailable("A", 10); err != nil {
			t.Fatal(err)
		}
	}
}

// A connection that begins anew knows no key of the one before: the shop answers
// its first write from memory, and carries out the second.
func TestAKeyOfAnEarlierProcessCostsOneWrite(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	is(t, written(t, shop.open(t), set("A", 7, 10)), "Accepted")
	if err := shop.SetAvailable("A", 10); err != nil {
		t.Fatal(err)
	}
	c := shop.open(t)
	is(t, written(t, c, set("A", 7, 10)), "Accepted")
	shop.has(t, map[string]int64{"A": 10})
	is(t, written(t, c, set("A", 7, 10)), "Accepted")
	shop.has(t, map[string]int64{"A": 7})
}

func TestAKeyWhoseFirstRequestFailedIsReplaced(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	is(t, written(t, shop.open(t), set("A", 7, 10)), "Accepted")
	shop.FailKey(clientID, shop.sent("SetQuantities")[0]["key"].(string))
	if err := shop.SetAvailable("A", 10); err != nil {
		t.Fatal(err)
	}
	is(t, written(t, shop.open(t), set("A", 7, 10)), "Accepted")
	shop.has(t, map[string]int64{"A": 7})
}

// Keys are of versions: a newer intent that asks for the same is another write.
func TestVersionsHaveKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	for sequence := range 3 {
		intent := set("A", 7, 10)
		intent.Version.Sequence = uint64(sequence)
		is(t, written(t, shop.open(t), intent), "Accepted")
		if err := shop.SetAvailable("A", 10); err != nil {
			t.Fatal(err)
		}
	}
	keys := map[any]bool{}
	for _, variables := range shop.sent("SetQuantities") {
		keys[variables["key"]] = true
	}
	if len(keys) != 3 {
		t.Errorf("%d keys for three versions", len(keys))
	}
}

func TestStockThatIsNotTrackedIsNoStock(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	shop.Add(sim.NewProduct{SKU: "GIFT", Title: "Gift card", Price: "5.00", Untracked: true})
	if err := shop.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := shop.open(t)
	if l := one(t, c, "GIFT"); l.Stock != nil {
		t.Errorf("stock %+v, want none", l.Stock)
	}
	both := price("GIFT", 700)
	both.Stock = &driver.StockWrite{Quantity: 1}
	is(t, written(t, c, both, set("A", 3, 10)), "Rejected StockNotTracked", "Accepted")
	if l := one(t, c, "GIFT"); l.Price.Minor != 700 {
		t.Errorf("the price is %v, want 7.00: only the stock was refused", l.Price)
	}
}

// The quantities of a location are those of the channel.
func TestTheConfiguredLocationIsKept(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t, configured(`{"location":"Store room"}`))
	if l := one(t, c, "A"); l.Stock == nil || l.Stock.Available != 0 {
		t.Errorf("stock %+v, want none there", l.Stock)
	}
	is(t, written(t, c, set("A", 5, 0)), "Accepted")
	if l := one(t, c, "A"); l.Stock.Available != 5 || l.Stock.OnHand != 5 {
		t.Errorf("stock %+v, want 5", l.Stock)
	}
	shop.has(t, map[string]int64{"A": 10}) // at the other one
}
