package woocommerce

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	sim "selaras.dev/selaras/test/simulators/woocommerce"
)

// An item that is gone when its batch arrives answers for itself.
func TestOneItemOfABatchIsRefusedAlone(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.addShirt("SHIRT-S", "SHIRT-M")
	for _, sku := range []string{"A", "B", "C"} {
		w.shop.AddProduct(sim.Item{SKU: sku, Name: sku, Price: "1.00", Stock: 1})
	}
	w.onWrite(func() {
		for _, sku := range []string{"B", "SHIRT-S"} {
			if err := w.shop.Delete(sku); err != nil {
				t.Error(err)
			}
		}
	})
	outcomes := w.put(t, priced("A", 250), priced("B", 250), priced("C", 250), priced("SHIRT-S", 250), priced("SHIRT-M", 250))
	const want = "Accepted , Rejected UnknownItem, Accepted , Rejected UnknownItem, Accepted "
	if got := kinds(outcomes); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, sku := range []string{"A", "C", "SHIRT-M"} {
		if got := w.one(t, sku).Price.Minor; got != 250 {
			t.Errorf("%s costs %d, want 250", sku, got)
		}
	}
}

// PHP ends in the middle of a batch: nobody knows which of its items are done.
func TestABatchThatDiedIsUnknown(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	for _, sku := range []string{"A", "B", "C"} {
		w.shop.AddProduct(sim.Item{SKU: sku, Name: sku, Price: "1.00", Stock: 1})
	}
	w.shop.DieInBatch(3)
	_, err := w.WriteIntents(t.Context(), []driver.Intent{priced("A", 250), priced("B", 250), priced("C", 250)})
	if driver.ClassOf(err) != driver.ClassUnknown {
		t.Fatalf("got %v, want Unknown", err)
	}
	if a, c := w.one(t, "A"), w.one(t, "C"); a.Price.Minor != 250 || c.Price.Minor != 100 {
		t.Errorf("A costs %v and C %v; the simulator is to have died between them", a.Price, c.Price)
	}
	// Variations were written before it died: what is known of them is told.
	w.addShirt("SHIRT-S")
	w.shop.DieInBatch(2)
	outcomes, err := w.WriteIntents(t.Context(), []driver.Intent{priced("SHIRT-S", 250), priced("A", 300)})
	if err != nil || kinds(outcomes) != "Accepted , Unknown ShopFailed" {
		t.Errorf("got %s, %v; want the variation Accepted, the product Unknown", kinds(outcomes), err)
	}
}

// A timed-out write lands after a newer one: a reading shows it.
func TestAWriteThatLandsLateIsSeen(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	w.shop.LandLate(1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := w.WriteIntents(ctx, []driver.Intent{stocked("A", 5)}); driver.ClassOf(err) != driver.ClassUnknown {
		t.Fatalf("got %v, want Unknown", err)
	}
	if o := w.put(t, stocked("A", 7)); o[0].Kind != driver.Accepted || w.one(t, "A").Stock.OnHand != 7 {
		t.Fatalf("the newer write: %+v", o)
	}
	if n := w.shop.Land(); n != 1 {
		t.Fatalf("%d writes landed, want 1", n)
	}
	if got := w.one(t, "A").Stock.OnHand; got != 5 {
		t.Errorf("the shop shows %d, and stores the late 5", got)
	}
}

func TestAShopThatIsBeingUpdatedIsThrottled(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	w.one(t, "A")
	w.shop.Maintain(10 * time.Minute)
	_, err := w.WriteIntents(t.Context(), []driver.Intent{priced("A", 250)})
	if o := driver.OutcomeOf(err); o.Kind != driver.Throttled || o.RetryAfter != 10*time.Minute {
		t.Errorf("got %v, want Throttled for ten minutes", err)
	}
	w.shop.Maintain(0)
	if o := w.put(t, priced("A", 250)); o[0].Kind != driver.Accepted {
		t.Errorf("after the update: %+v", o)
	}
}

// What WordPress makes of a text is no secret: a difference would be written for
// ever.
func TestWhatTheShopAltersIsTold(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	content := w.one(t, "A").Content
	for description, want := range map[string]string{
		"<p>Tea &amp; coffee</p>": "Accepted ", "<p>Tea & coffee</p>": "Rejected AlteredByShop",
		"<p>Hi</p><script>x</script>": "Rejected AlteredByShop", "": "Accepted ",
	} {
		content.Product.Description = description
		intent := stocked("A", 3)
		intent.Content = &content
		if got := kinds(w.put(t, intent)); got != want {
			t.Errorf("%q: %s, want %s", description, got, want)
		}
	}
	if got := w.one(t, "A").Stock.OnHand; got != 3 {
		t.Errorf("the stock beside it is %d, want 3", got)
	}
	content.Product.Description = ""
	for title, want := range map[string]string{"Tea & coffee": "Accepted ", `5 < 6 "q" 'q'`: "Accepted ", `C:\x`: "Rejected AlteredByShop"} {
		content.Product.Title, content.Title = title, title
		if got := kinds(w.put(t, driver.Intent{Key: driver.Key{SKU: "A"}, Content: &content})); got != want {
			t.Errorf("%q: %s, want %s", title, got, want)
		}
	}
}

// A simple product has one name. A title beside it is kept until the merchant
// gives the product another.
func TestATitleIsKeptBesideTheName(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	content := w.one(t, "A").Content
	content.Title, content.Product.Title = "Tea & more, 250 g", "Tea & more"
	w.put(t, driver.Intent{Key: driver.Key{SKU: "A"}, Content: &content})
	if l := w.one(t, "A"); l.Content.Title != "Tea & more, 250 g" || l.Content.Product.Title != "Tea & more" {
		t.Errorf("got %+v", l.Content)
	}
	if shown, _ := w.shop.Show("A"); shown.Name != "Tea &amp; more" {
		t.Errorf("buyers read %q, want the product's title", shown.Name)
	}
	if err := w.shop.Change("A", func(f *sim.Fields) { f.Name = "Coffee" }); err != nil {
		t.Fatal(err)
	}
	if l := w.one(t, "A"); l.Content.Title != "Coffee" || l.Content.Product.Title != "Coffee" {
		t.Errorf("after the merchant's change: %+v", l.Content)
	}
	content.Title = "Tea & more"
	w.put(t, driver.Intent{Key: driver.Key{SKU: "A"}, Content: &content})
	if l := w.one(t, "A"); l.Content.Title != "Tea & more" || w.shop.Meta("A", metaTitle) != "" {
		t.Errorf("one title: %+v, kept %v", l.Content, w.shop.Meta("A", metaTitle))
	}
}

// A product of variations goes on sale with the first of them alone, and off
// sale with the last.
func TestAProductIsOnSaleWhileAVariationIs(t *testing.T) {
	t.Parallel()
	for _, options := range []sim.Options{{}, {Before103: true}} {
		w := open(t, options)
		w.addShirt("SHIRT-S", "SHIRT-M", "SHIRT-L")
		sale := func(enabled bool, skus ...string) {
			t.Helper()
			var intents []driver.Intent
			for _, sku := range skus {
				content := w.one(t, sku).Content
				content.Enabled = enabled
				intents = append(intents, driver.Intent{Key: driver.Key{SKU: sku}, Content: &content})
			}
			for _, o := range w.put(t, intents...) {
				if o.Kind != driver.Accepted {
					t.Errorf("got %+v", o)
				}
			}
		}
		shows := func(step, parent string, on ...string) {
			t.Helper()
			want := map[string]bool{}
			for _, sku := range on {
				want[sku] = true
			}
			for _, sku := range []string{"SHIRT-S", "SHIRT-M", "SHIRT-L"} {
				if got := w.one(t, sku).Content.Enabled; got != want[sku] {
					t.Errorf("%s: %s on sale is %v", step, sku, got)
				}
			}
			if shown, _ := w.shop.Show("SHIRT-S"); shown.ParentStatus != parent {
				t.Errorf("%s: the product is %s, want %s", step, shown.ParentStatus, parent)
			}
		}
		sale(false, "SHIRT-S")
		shows("one off", "publish", "SHIRT-M", "SHIRT-L")
		sale(false, "SHIRT-M", "SHIRT-L")
		shows("all off", "draft")
		sale(true, "SHIRT-M")
		shows("one on", "publish", "SHIRT-M")
		// A merchant takes the whole product off: its variations are still
		// switched on, and must not go on sale with another.
		sale(true, "SHIRT-S", "SHIRT-L")
		if err := w.shop.ChangeParent("SHIRT-S", func(f *sim.Fields) { f.Status = "draft" }); err != nil {
			t.Fatal(err)
		}
		shows("hidden by the merchant", "draft")
		sale(true, "SHIRT-L")
		shows("one of them on", "publish", "SHIRT-L")
	}
}

func TestRemovingWritesNothingElse(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.addShirt("SHIRT-S", "SHIRT-M")
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A & B", Price: "1.00", Stock: 1})
	before := w.one(t, "A")
	ref := w.one(t, "SHIRT-M").Ref
	outcomes, err := w.RemoveListings(t.Context(), []driver.Key{{SKU: "A"}, {Ref: ref}, {SKU: "NONE"}})
	if err != nil || kinds(outcomes) != "Verified , Verified , Verified " {
		t.Fatalf("got %s, %v", kinds(outcomes), err)
	}
	after := w.one(t, "A")
	before.Content.Enabled = false
	if after.Content.Title != before.Content.Title || after.Content.Product != before.Content.Product || after.Content.Enabled || *after.Price != *before.Price {
		t.Errorf("got %+v, want %+v", after, before)
	}
	if w.one(t, "SHIRT-M").Content.Enabled || !w.one(t, "SHIRT-S").Content.Enabled {
		t.Error("one of two variations was to go off sale")
	}
	if w.shop.Meta("SHIRT-M", metaTitle) != nil {
		t.Error("a title was kept")
	}
}

func TestWhatCannotBeCreatedIsTold(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "TAKEN", Name: "Taken", Price: "1.00", Stock: 1})
	w.shop.AddProduct(sim.Item{SKU: "WRAP", Name: "Wrap", Price: "1.00", Stock: 1})
	fresh := func(sku, key string, options ...driver.Option) driver.Intent {
		return driver.Intent{
			Key: driver.Key{SKU: sku}, Price: &driver.Money{Minor: 100, Currency: "EUR"}, Stock: &driver.StockWrite{Quantity: 1},
			Content: &driver.Content{Product: driver.Product{Key: key, Title: "New"}, Title: "New", Options: options, Enabled: true},
		}
	}
	size := func(value string) driver.Option { return driver.Option{Name: "Size", Value: value} }
	for name, c := range map[string]struct {
		intent driver.Intent
		want   string
	}{
		"no SKU":               {fresh("", "x"), "Rejected SKUMissing"},
		"no slug":              {fresh("N1", "Größe"), "Rejected InvalidProductKey"},
		"a bar in an option":   {fresh("N2", "n2", size("S|M")), "Rejected InvalidOption"},
		"spaces in an option":  {fresh("N3", "n3", size(" S")), "Rejected InvalidOption"},
		"a slug that is taken": {fresh("N4", "taken"), "Rejected ProductKeyTaken"},
		"no product of options": {
			fresh("N5", "wrap", size("S")), "Rejected OptionsDiffer",
		},
		"an option named twice": {fresh("N6", "n6", size("S")), "Accepted "},
	} {
		outcomes, err := w.CreateListings(t.Context(), []driver.Intent{c.intent})
		if err != nil || kinds(outcomes) != c.want {
			t.Errorf("%s: %s, %v; want %s", name, kinds(outcomes), err, c.want)
		}
		found, err := w.ReadListings(t.Context(), []driver.Key{{SKU: c.intent.SKU}})
		if c.intent.SKU != "" && (err != nil || (len(found) == 1) != (c.want == "Accepted ")) {
			t.Errorf("%s: the shop has %v (%v)", name, found, err)
		}
	}
	// Variations that have not the same options.
	outcomes, err := w.CreateListings(t.Context(), []driver.Intent{
		fresh("N7", "n7", size("S")), fresh("N8", "n7", driver.Option{Name: "Color", Value: "Red"}),
	})
	if err != nil || kinds(outcomes) != "Rejected OptionsDiffer, Rejected OptionsDiffer" {
		t.Errorf("got %s, %v", kinds(outcomes), err)
	}
	// A SKU that somebody else has taken meanwhile.
	w.onWrite(func() { w.shop.AddProduct(sim.Item{SKU: "RACE", Name: "Race", Price: "1.00", Stock: 1}) })
	outcomes, err = w.CreateListings(t.Context(), []driver.Intent{fresh("RACE", "race-2"), fresh("N9", "n9")})
	if err != nil || kinds(outcomes) != "Rejected DuplicateSKU, Accepted " {
		t.Errorf("got %s, %v", kinds(outcomes), err)
	}
}

// Writes of many products take few requests.
func TestAWriteTakesTwoReadingsAndABatchForEachProductOfVariations(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	var intents []driver.Intent
	for n := range 20 {
		sku := string(rune('A' + n))
		w.shop.AddProduct(sim.Item{SKU: sku, Name: sku, Price: "1.00", Stock: 1})
		intents = append(intents, priced(sku, 250))
	}
	w.addShirt("SHIRT-S", "SHIRT-M")
	intents = append(intents, priced("SHIRT-S", 250), priced("SHIRT-M", 250))
	w.one(t, "A")
	requests := 0
	w.onRequest(func(*http.Request) { requests++ })
	w.put(t, intents...)
	if requests != 4 {
		t.Errorf("%d requests, want 4: the SKUs, their products, the variations, the rest", requests)
	}
}

// A variation that was made a moment ago is not there yet for who reads from a
// replica; it is made all the same.
func TestAVariationThatAReplicaDoesNotShowIsMade(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	shirt := func(sku, size string) driver.Intent {
		return driver.Intent{
			Key: driver.Key{SKU: sku}, Price: &driver.Money{Minor: 100, Currency: "EUR"}, Stock: &driver.StockWrite{Quantity: 1},
			Content: &driver.Content{
				Product: driver.Product{Key: "shirt", Title: "Shirt"}, Title: "Shirt " + size, Enabled: true,
				Options: []driver.Option{{Name: "Size", Value: size}},
			},
		}
	}
	if outcomes, err := w.CreateListings(t.Context(), []driver.Intent{shirt("SHIRT-S", "S")}); err != nil || kinds(outcomes) != "Accepted " {
		t.Fatalf("got %s, %v", kinds(outcomes), err)
	}
	w.shop.Pass(time.Minute)
	w.shop.Lag(10 * time.Second)
	if outcomes, err := w.CreateListings(t.Context(), []driver.Intent{shirt("SHIRT-M", "M")}); err != nil || kinds(outcomes) != "Accepted " {
		t.Errorf("got %s, %v; want it made", kinds(outcomes), err)
	}
	w.shop.Pass(11 * time.Second)
	if got := w.one(t, "SHIRT-M").Content.Title; got != "Shirt M" {
		t.Errorf("its title is %q", got)
	}
}

// Most merchants tell variations apart by attributes of the whole shop, which a
// variation names by their ids.
func TestAVariationIsMadeOfAProductWithAttributesOfTheShop(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddVariableOfShop("Hat", "HAT", sim.Item{SKU: "HAT-S", Price: "2.00", Stock: 1, Option: "S"})
	content := w.one(t, "HAT-S").Content
	content.Title, content.Options = "Hat M", []driver.Option{{Name: "Size", Value: "M"}}
	outcomes, err := w.CreateListings(t.Context(), []driver.Intent{{
		Key: driver.Key{SKU: "HAT-M"}, Content: &content, Price: &driver.Money{Minor: 100, Currency: "EUR"}, Stock: &driver.StockWrite{Quantity: 1},
	}})
	if err != nil || kinds(outcomes) != "Accepted " {
		t.Fatalf("got %s, %v", kinds(outcomes), err)
	}
	if got := w.one(t, "HAT-M").Content; !cmp.Equal(got, content) {
		t.Errorf("(-want +got)\n%s", cmp.Diff(content, got))
	}
}

// I1: what the shop takes, it shows; what it makes something else of, is told.
func TestWhatIsTakenIsReadBack(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	w.addShirt("SHIRT-S", "SHIRT-M")
	text := rapid.StringMatching(`[ab&<>"';#é新\\ /p]{0,12}|(&amp;|<p>|</p>|<b>|&lt;|x ){0,4}`)
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		sku := rapid.SampledFrom([]string{"A", "SHIRT-S", "SHIRT-M"}).Draw(t, "sku")
		found, err := w.ReadListings(t.Context(), []driver.Key{{SKU: sku}})
		if err != nil || len(found) != 1 {
			t.Fatalf("reading %s: %v, %v", sku, found, err)
		}
		want := found[0].Content
		want.Product.Title = "T" + text.Draw(t, "product")
		want.Title = want.Product.Title
		if rapid.Bool().Draw(t, "apart") {
			want.Title = "V" + text.Draw(t, "title")
		}
		want.Product.Description = text.Draw(t, "description")
		outcomes, err := w.WriteIntents(t.Context(), []driver.Intent{{Key: driver.Key{SKU: sku}, Content: &want}})
		if err != nil {
			t.Fatal(err)
		}
		if outcomes[0].Kind != driver.Accepted {
			if outcomes[0].Reason != reasonAltered {
				t.Fatalf("got %+v", outcomes[0])
			}
			return
		}
		taken++
		found, err = w.ReadListings(t.Context(), []driver.Key{{SKU: sku}})
		if err != nil || len(found) != 1 || !cmp.Equal(found[0].Content, want) {
			t.Fatalf("%v: (-want +got)\n%s", err, cmp.Diff(want, found[0].Content))
		}
	})
	if taken == 0 {
		t.Error("nothing was taken")
	}
}
