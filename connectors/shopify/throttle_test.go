package shopify_test

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	sim "selaras.dev/selaras/test/simulators/shopify"
)

// The shop says how many points are missing, and so how long to wait.
func TestAnEmptyBucketIsThrottledForAsLongAsItTakes(t *testing.T) {
	t.Parallel()
	for _, byStatus := range []bool{false, true} {
		shop := stockShop(t, sim.Options{BucketSize: 2000, RestoreRate: 10, ThrottleByStatus: byStatus}, "A")
		c := shop.open(t)
		if _, err := c.Account(t.Context()); err != nil {
			t.Fatal(err)
		}
		shop.Drain(0)
		_, err := c.WriteIntents(t.Context(), []driver.Intent{price("A", 500)})
		e := failure(t, err, driver.ClassThrottled)
		// Reading by SKU asks for some 60 points, of which 10 come back a second.
		if least, most := time.Second, 10*time.Second; e.RetryAfter < least || e.RetryAfter > most {
			t.Errorf("status %v: wait %s, want %s to %s", byStatus, e.RetryAfter, least, most)
		}
		if !byStatus && e.RetryAfter < 4*time.Second {
			t.Errorf("wait %s, want as long as the points take", e.RetryAfter)
		}
		if shown, err := shop.Show("A"); err != nil || shown.Price != "10.00" {
			t.Errorf("the price is %+v (%v)", shown, err)
		}
	}
}

// What the answers said of the bucket is enough to know that a request would be
// refused: it is not sent.
func TestARequestThatWouldBeRefusedIsNotSent(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{BucketSize: 300, RestoreRate: 1}, "A")
	c := shop.open(t)
	var wait time.Duration
	for n := 0; wait == 0; n++ {
		if n == 400 {
			t.Fatal("400 requests were never too many")
		}
		if _, err := c.ReadListings(t.Context(), []driver.Key{{SKU: "A"}}); err != nil {
			wait = failure(t, err, driver.ClassThrottled).RetryAfter
		}
	}
	before := len(shop.Requests())
	for range 5 {
		_, err := c.ReadListings(t.Context(), []driver.Key{{SKU: "A"}})
		_ = failure(t, err, driver.ClassThrottled)
	}
	if sent := len(shop.Requests()) - before; sent != 0 {
		t.Errorf("%d requests were sent although the bucket is empty", sent)
	}
	if refused := len(shop.Refused()); refused != 0 {
		t.Errorf("the shop had to refuse %d requests", refused)
	}
}

// Throttled in the middle: what was done keeps its outcome, the rest comes again.
func TestAWriteThatIsThrottledInTheMiddleSaysWhatWasDone(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A", "B")
	c := shop.open(t)
	shop.Before("UpdateVariants", func() { shop.Drain(0) })
	stock, both := set("A", 7, 10), set("B", 6, 10)
	both.Price = price("B", 900).Price
	is(t, written(t, c, stock, both), "Accepted", "Throttled TooManyRequests")
	shop.has(t, map[string]int64{"A": 7, "B": 6})
	shop.Drain(2000)
	again := set("B", 6, 6)
	again.Price = both.Price
	// What the driver knows of the bucket is from before it was filled.
	soon(t, "the price is written", func() bool {
		outcomes, err := c.WriteIntents(t.Context(), []driver.Intent{again})
		return err == nil && outcomes[0].Kind == driver.Accepted
	}, func() any { return shop.Requests() })
	if l := one(t, c, "B"); l.Price.Minor != 900 {
		t.Errorf("the price is %v, want 9.00", l.Price)
	}
}

// Failures inside the shop, after a write was sent, leave it unknown; before, it
// was certainly not done.
func TestFailuresAreOfTheRightClass(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name        string
		fault       sim.Fault
		read, write driver.Class
	}{
		{"an internal error", sim.Fault{Code: "INTERNAL_SERVER_ERROR"}, driver.ClassTransient, driver.ClassUnknown},
		{"a timeout inside", sim.Fault{Code: "TIMEOUT"}, driver.ClassTransient, driver.ClassUnknown},
		{"a missing scope", sim.Fault{Code: "ACCESS_DENIED"}, driver.ClassUnauthorized, driver.ClassUnauthorized},
		{"a closed shop", sim.Fault{Code: "SHOP_INACTIVE"}, driver.ClassTransient, driver.ClassTransient},
		{"too costly", sim.Fault{Code: "MAX_COST_EXCEEDED"}, driver.ClassInvalid, driver.ClassBatchRejected},
		{"throttled", sim.Fault{Code: "THROTTLED"}, driver.ClassThrottled, driver.ClassThrottled},
		{"status 429", sim.Fault{Status: http.StatusTooManyRequests, RetryAfter: "3"}, driver.ClassThrottled, driver.ClassThrottled},
		{"status 430", sim.Fault{Status: 430}, driver.ClassThrottled, driver.ClassThrottled},
		{"status 402", sim.Fault{Status: http.StatusPaymentRequired}, driver.ClassTransient, driver.ClassTransient},
		{"status 423", sim.Fault{Status: http.StatusLocked}, driver.ClassTransient, driver.ClassTransient},
		{"status 403", sim.Fault{Status: http.StatusForbidden}, driver.ClassUnauthorized, driver.ClassUnauthorized},
		{"status 502", sim.Fault{Status: http.StatusBadGateway}, driver.ClassTransient, driver.ClassUnknown},
		{"status 503", sim.Fault{Status: http.StatusServiceUnavailable}, driver.ClassTransient, driver.ClassTransient},
		{"status 404", sim.Fault{Status: http.StatusNotFound}, driver.ClassInvalid, driver.ClassInvalid},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			shop := stockShop(t, sim.Options{}, "A")
			c := shop.open(t)
			read(t, c, driver.Key{SKU: "A"})
			shop.Fault(func(r sim.Request) sim.Fault {
				if r.Operation == "SetQuantities" {
					return one.fault
				}
				return sim.Fault{}
			})
			_, err := c.WriteIntents(t.Context(), []driver.Intent{set("A", 7, 10)})
			if one.write == driver.ClassBatchRejected {
				if err != nil {
					t.Fatal(err)
				}
			} else {
				_ = failure(t, err, one.write)
			}
			shop.has(t, map[string]int64{"A": 10})
			shop.Fault(func(sim.Request) sim.Fault { return one.fault })
			_, err = c.ReadListings(t.Context(), []driver.Key{{SKU: "A"}})
			e := failure(t, err, one.read)
			if e.Class == driver.ClassThrottled && e.RetryAfter <= 0 {
				t.Errorf("no wait is told: %+v", e)
			}
			if one.fault.RetryAfter == "3" && e.RetryAfter != 3*time.Second {
				t.Errorf("wait %s, want the shop's 3s", e.RetryAfter)
			}
		})
	}
}

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// The version that is asked for is not served any more: another one answers, and
// that is told once.
func TestAnotherVersionThatAnswersIsTold(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{Serves: "2027-04"}, "A")
	log := &logged{}
	c := shop.open(t, func(s *driver.Settings) { s.Log = slog.New(slog.NewTextHandler(log, nil)) })
	for range 3 {
		one(t, c, "A")
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if got := log.text.String(); strings.Count(got, "another version") != 1 || !strings.Contains(got, "served=2027-04") {
		t.Errorf("logged %q", got)
	}
}

// The points that the documentation names.
func TestRequestsCostWhatIsDocumented(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	if _, err := c.ReadPage(t.Context(), "", 100); err != nil {
		t.Fatal(err)
	}
	intent := set("A", 7, 10)
	intent.Price = price("A", 500).Price
	is(t, written(t, c, intent), "Accepted")
	is(t, created(t, c, shirt("shirt", "S")), "Accepted")
	costs := shop.Costs()
	for operation, want := range map[string]float64{
		"Listings": 65, "ListingsByID": 7, "SetQuantities": 10, "UpdateVariants": 10, "CreateProduct": 13, "PublishProducts": 10,
	} {
		if costs[operation] != want {
			t.Errorf("%s costs %v points, documented are %v", operation, costs[operation], want)
		}
	}
	for operation, points := range costs {
		if points > 200 {
			t.Errorf("%s asks for %v points", operation, points)
		}
	}
}
