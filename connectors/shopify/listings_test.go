package shopify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	sim "selaras.dev/selaras/test/simulators/shopify"
)

// long is a lag of the index by which a search finds nothing new in a test.
const long = time.Hour

// shirt is a new variant of a product.
func shirt(key, size string) driver.Intent {
	return driver.Intent{
		Key: driver.Key{SKU: key + "-" + size},
		Content: &driver.Content{
			Product: driver.Product{Key: key, Title: "Shirt", Description: "<p>Cotton</p>"}, Title: size,
			Options: []driver.Option{{Name: "Size", Value: size}}, Enabled: true,
		},
		Price: &driver.Money{Minor: 1500, Currency: "USD"}, Stock: &driver.StockWrite{Quantity: 4},
	}
}

func created(t *testing.T, c connection, intents ...driver.Intent) []driver.Outcome {
	t.Helper()
	outcomes, err := c.CreateListings(t.Context(), intents)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// A search does not find what was just made. It is read by the id that the shop
// answered, and by another connection through its product.
func TestWhatWasJustMadeIsFoundAlthoughNoSearchDoes(t *testing.T) {
	t.Parallel()
	shop := startShop(t, sim.Options{IndexLag: long})
	c := shop.open(t)
	outcomes := created(t, c, shirt("shirt", "S"), shirt("shirt", "M"))
	is(t, outcomes, "Accepted", "Accepted")
	if l := one(t, c, "shirt-S"); l.Ref != outcomes[0].Stored.Ref || l.Content.Title != "S" || !l.Content.Enabled || l.Stock.Available != 4 {
		t.Errorf("got %+v", l)
	}
	fresh := shop.open(t)
	if found := read(t, fresh, driver.Key{SKU: "shirt-S"}); len(found) != 0 {
		t.Errorf("a search found %+v", found)
	}
	if found := read(t, fresh, driver.Key{SKU: "shirt-S", Ref: outcomes[0].Stored.Ref}); len(found) != 1 {
		t.Errorf("by its Ref: %+v", found)
	}
	is(t, created(t, shop.open(t), shirt("shirt", "S"), shirt("shirt", "L")), "Accepted", "Accepted")
	if skus := shop.SKUs(); !slices.Equal(skus, []string{"shirt-S", "shirt-M", "shirt-L"}) {
		t.Errorf("the shop has %v", skus)
	}
}

// The connector knows a listing whose SKU was given to nobody since: nothing is
// written to it.
func TestAVariantThatBearsAnotherSKUIsNotWritten(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	ref := one(t, c, "A").Ref
	if err := shop.Rename("A", "B"); err != nil {
		t.Fatal(err)
	}
	intent := price("A", 1)
	intent.Ref, intent.Stock = ref, &driver.StockWrite{Quantity: 1}
	is(t, written(t, c, intent), "Rejected UnknownItem")
	if shown, err := shop.Show("B"); err != nil || shown.Price != "10.00" || shown.Available != 10 {
		t.Errorf("the other listing shows %+v (%v)", shown, err)
	}
}

// A product that is there keeps the variants that an intent does not name.
func TestAProductThatIsThereKeepsItsVariants(t *testing.T) {
	t.Parallel()
	shop := startShop(t, sim.Options{})
	c := shop.open(t)
	created(t, c, shirt("shirt", "S"), shirt("shirt", "M"))
	other := shirt("shirt", "L")
	other.Content.Options = []driver.Option{{Name: "Color", Value: "Red"}}
	is(t, created(t, c, other), "Rejected OptionsDiffer")
	if skus := shop.SKUs(); !slices.Equal(skus, []string{"shirt-S", "shirt-M"}) {
		t.Errorf("the shop has %v", skus)
	}
	// Somebody makes the product between the look and the making: it refuses.
	shop.Before("CreateProduct", func() { shop.Add(sim.NewProduct{SKU: "OWN", Handle: "mug", Title: "Mug", Price: "1.00"}) })
	is(t, created(t, c, shirt("mug", "S")), "Rejected RefusedByShop")
	if shown, err := shop.Show("OWN"); err != nil || shown.Title != "Mug" {
		t.Errorf("the merchant's product: %+v, %v", shown, err)
	}
}

func TestWhatShopifyWouldChangeIsRefusedBeforeItIsMade(t *testing.T) {
	t.Parallel()
	shop := startShop(t, sim.Options{})
	c := shop.open(t)
	for _, key := range []string{"", "Shirt", "a shirt", "-shirt", "shirt-", "a--b", "a/b"} {
		is(t, created(t, c, shirt(key, "S")), "Rejected InvalidProductKey")
	}
	four := shirt("four", "S")
	for n := range 3 {
		four.Content.Options = append(four.Content.Options, driver.Option{Name: fmt.Sprint(n), Value: "x"})
	}
	is(t, created(t, c, four), "Rejected OptionsDiffer")
	if skus := shop.SKUs(); len(skus) != 0 {
		t.Errorf("the shop has %v", skus)
	}
	is(t, created(t, c, shirt("größe_1", "S")), "Accepted")
}

// One product that the shop refuses keeps no other back.
func TestProductsThatAreRefusedKeepNoOtherBack(t *testing.T) {
	t.Parallel()
	shop := startShop(t, sim.Options{})
	c := shop.open(t)
	bad := shirt("bad", "S")
	bad.Content.Title = "two\nlines"
	is(t, created(t, c, shirt("good", "S"), bad, shirt("bad", "M")), "Accepted", "Rejected RefusedByShop", "Accepted")
	if skus := shop.SKUs(); !slices.Equal(skus, []string{"good-S", "bad-M"}) {
		t.Errorf("the shop has %v", skus)
	}
}

// A title that the shop makes itself is not kept again.
func TestATitleOfItsOwnIsKeptOnlyWhereItDiffers(t *testing.T) {
	t.Parallel()
	shop := startShop(t, sim.Options{})
	c := shop.open(t)
	created(t, c, shirt("shirt", "S"))
	if sent := fmt.Sprint(shop.sent("CreateProduct")); strings.Contains(sent, "metafields") {
		t.Errorf("a title was kept that the shop makes: %s", sent)
	}
	l := one(t, c, "shirt-S")
	for _, title := range []string{"Small shirt", "Tiny shirt", "S"} {
		want := l.Content
		want.Title = title
		is(t, written(t, c, driver.Intent{Key: driver.Key{SKU: "shirt-S"}, Content: &want}), "Accepted")
		if got := one(t, c, "shirt-S"); got.Content.Title != title {
			t.Errorf("the title is %q, want %q", got.Content.Title, title)
		}
	}
	empty := l.Content
	empty.Title = ""
	is(t, written(t, c, driver.Intent{Key: driver.Key{SKU: "shirt-S"}, Content: &empty}), "Rejected TitleMissing")
}

// A product is taken off sale as a whole: one of several variants is deleted, and
// alone it cannot be hidden.
func TestOneOfSeveralVariantsLeavesByBeingDeleted(t *testing.T) {
	t.Parallel()
	shop := startShop(t, sim.Options{})
	c := shop.open(t)
	created(t, c, shirt("shirt", "S"), shirt("shirt", "M"))
	off := one(t, c, "shirt-S").Content
	off.Enabled = false
	is(t, written(t, c, driver.Intent{Key: driver.Key{SKU: "shirt-S"}, Content: &off}), "Rejected VariantsShareStatus")
	outcomes, err := c.RemoveListings(t.Context(), []driver.Key{{SKU: "shirt-S"}})
	if err != nil {
		t.Fatal(err)
	}
	is(t, outcomes, "Verified")
	if skus := shop.SKUs(); !slices.Equal(skus, []string{"shirt-M"}) {
		t.Errorf("the shop has %v", skus)
	}
	if _, err := c.RemoveListings(t.Context(), []driver.Key{{SKU: "shirt-M"}}); err != nil {
		t.Fatal(err)
	}
	if l := one(t, c, "shirt-M"); l.Content.Enabled {
		t.Error("the last variant is still on sale")
	}
}

// Only the configured sales channel is kept: the others are left alone.
func TestTheConfiguredSalesChannelIsKept(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	pos := shop.open(t, configured(`{"publication":"Point of Sale"}`))
	l := one(t, pos, "A")
	if l.Content.Enabled {
		t.Error("on sale at the till before it was published there")
	}
	on := l.Content
	on.Enabled = true
	is(t, written(t, pos, driver.Intent{Key: driver.Key{SKU: "A"}, Content: &on}), "Accepted")
	if !one(t, pos, "A").Content.Enabled {
		t.Error("not on sale at the till")
	}
	if _, err := pos.RemoveListings(t.Context(), []driver.Key{{SKU: "A"}}); err != nil {
		t.Fatal(err)
	}
	if one(t, pos, "A").Content.Enabled || !one(t, shop.open(t), "A").Content.Enabled {
		t.Error("removing it from the till took it out of the web shop, or left it there")
	}
}

// Prices of several products are several mutations in a request, and one that
// fails keeps no other back.
func TestPricesOfManyProductsAreWrittenInFewRequests(t *testing.T) {
	t.Parallel()
	var skus []string
	for n := range 45 {
		skus = append(skus, fmt.Sprintf("P%02d", n))
	}
	shop := stockShop(t, sim.Options{}, skus...)
	c := shop.open(t)
	var intents []driver.Intent
	for n, sku := range skus {
		intents = append(intents, price(sku, int64(100+n)))
	}
	shop.Before("UpdateVariants", func() {
		if err := shop.Delete("P07"); err != nil {
			t.Error(err)
		}
	})
	for n, o := range written(t, c, intents...) {
		if want := map[bool]driver.OutcomeKind{true: driver.Rejected, false: driver.Accepted}[skus[n] == "P07"]; o.Kind != want {
			t.Errorf("%s: %+v, want %s", skus[n], o, want)
		}
	}
	if sent := shop.sent("UpdateVariants"); len(sent) != 3 {
		t.Errorf("%d requests for 45 products, want 3", len(sent))
	}
	if l := one(t, c, "P44"); l.Price.Minor != 144 {
		t.Errorf("the last price is %v", l.Price)
	}
}

// manyShirts is a shop with a product of 300 variants, more than a request gives.
func manyShirts(t *testing.T, lag time.Duration) (*testShop, []driver.Intent) {
	t.Helper()
	shop := startShop(t, sim.Options{IndexLag: lag, BucketSize: 100_000, RestoreRate: 1000})
	c := shop.open(t)
	var all []driver.Intent
	for n := range 300 {
		all = append(all, shirt("shirt", fmt.Sprintf("%03d", n)))
	}
	for some := range slices.Chunk(all, 50) {
		for _, o := range created(t, c, some...) {
			is(t, []driver.Outcome{o}, "Accepted")
		}
	}
	return shop, all
}

// Another process, whose searches find nothing yet: what is there is updated,
// what is not is made.
func TestAVariantOfManyIsFoundInItsProduct(t *testing.T) {
	t.Parallel()
	shop, all := manyShirts(t, long)
	is(t, created(t, shop.open(t), all[299], shirt("shirt", "new")), "Accepted", "Accepted")
	if len(shop.SKUs()) != 301 {
		t.Errorf("the shop has %d variants, want 301", len(shop.SKUs()))
	}
}

func TestAChangeOfAProductIsOneOfAllItsVariants(t *testing.T) {
	t.Parallel()
	shop, all := manyShirts(t, 0)
	c := shop.open(t)
	start, err := c.ReadChanges(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := shop.SetTitle("shirt-000", "Shirts"); err != nil {
		t.Fatal(err)
	}
	page, err := c.ReadChanges(t.Context(), start.Next, 100)
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]string{}
	for _, l := range page.Listings {
		titles[l.SKU] = l.Content.Product.Title
	}
	for _, intent := range all {
		if titles[intent.SKU] != "Shirts" {
			t.Fatalf("%s changed with its product, and is told as %q", intent.SKU, titles[intent.SKU])
		}
	}
}
