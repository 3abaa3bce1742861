package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"selaras.dev/selaras/internal/shops"
)

// pollEvery is how often the demo asks a shop whether it shows something yet.
// It bounds the precision of what is measured.
const pollEvery = 20 * time.Millisecond

// shop is one of the three shops and the rules by which it shows the catalog.
type shop struct {
	name string
	*shops.Vendure
	// shows is what the shop should show of what the webshop shows.
	shows func(shown) shown
	// webhookSecret signs the shop's webhooks in this run.
	webhookSecret string
}

// newShop names a shop that is to be started.
func newShop(name string, shows func(shown) shown) *shop {
	key := make([]byte, 24)
	_, _ = rand.Read(key) // never fails
	return &shop{name: name, shows: shows, webhookSecret: "whsec_" + base64.StdEncoding.EncodeToString(key)}
}

// shown is what shoppers see of a SKU.
type shown struct {
	name      string
	price     int64 // in cents
	available int   // units that can be bought
}

func shownBy(listing shops.Listing) shown {
	return shown{name: listing.Name, price: listing.Price, available: listing.OnHand - listing.Allocated}
}

func (s shown) String() string {
	return fmt.Sprintf("%q at %s, %d available", s.name, dollars(s.price), s.available)
}

func dollars(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) }

// asIs shows what the webshop shows.
func asIs(s shown) shown { return s }

// What config/samples says of the outlet: four fifths of the price, to the
// cent; the last five units are never offered.
const (
	outletFifths = 4
	outletSafety = 5
)

func outletRules(s shown) shown {
	s.price = (s.price*outletFifths + 2) / 5
	s.available = max(0, s.available-outletSafety)
	return s
}

// catalog is what a shop shows, by SKU.
func (s *shop) catalog(ctx context.Context) (map[string]shown, error) {
	listings, err := s.Listings(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the shop %s: %w", s.name, err)
	}
	out := make(map[string]shown, len(listings))
	for _, listing := range listings {
		if _, twice := out[listing.SKU]; twice {
			return nil, fmt.Errorf("the shop %s lists %s twice", s.name, listing.SKU)
		}
		out[listing.SKU] = shownBy(listing)
	}
	return out, nil
}

// tellApart gives listings that share a SKU one each, as a merchant has to:
// which of them a change is meant for cannot be told. Vendure's sample catalogue
// has three such chairs.
func (s *shop) tellApart(ctx context.Context, show audience) error {
	listings, err := s.Listings(ctx)
	if err != nil {
		return fmt.Errorf("read the shop %s: %w", s.name, err)
	}
	bearers := map[string]int{}
	for _, listing := range listings {
		bearers[listing.SKU]++
	}
	for sku, n := range bearers {
		for i := 1; i < n; i++ {
			if err := s.RenameSKU(ctx, sku, fmt.Sprintf("%s-%d", sku, i)); err != nil {
				return fmt.Errorf("give a listing of %s another SKU: %w", sku, err)
			}
		}
		if n > 1 {
			show.measure("%-12s the sample gives %d listings the SKU %s; %d renamed, as DuplicateSKU would ask", s.name, n, sku, n-1)
		}
	}
	return nil
}

// differences compares a shop with what it should show of the source's catalog:
// how many SKUs are right, and the first thing that is not.
func differences(source, target map[string]shown, rules func(shown) shown) (right int, wrong string) {
	for sku, original := range source {
		want := rules(original)
		got, ok := target[sku]
		switch {
		case ok && got == want:
			right++
		case wrong != "":
		case !ok:
			wrong = sku + " is missing"
		default:
			wrong = fmt.Sprintf("%s shows %s, should show %s", sku, got, want)
		}
	}
	if extra := len(target) - len(source); extra > 0 && wrong == "" {
		wrong = fmt.Sprintf("%d listings too many", extra)
	}
	return right, wrong
}

// until asks every pollEvery until the condition holds; the last text says what
// was seen when it did not hold in time.
func until(ctx context.Context, limit time.Duration, what string, condition func(context.Context) (bool, string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var seen string
	for {
		ok, now, err := condition(ctx)
		switch {
		case ok && err == nil:
			return nil
		case err != nil && ctx.Err() == nil:
			seen = err.Error() // a shop or an API may fail for a moment; the limit decides
		case err == nil:
			seen = now
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return context.Canceled
			}
			return fmt.Errorf("%s: not within %s; last seen: %s", what, seconds(limit), seen)
		case <-tick.C:
		}
	}
}

// timed is when each shop showed something, since a moment.
type timed map[*shop]time.Duration

// untilAll waits until each of the shops meets the condition and returns how
// long each took since the moment.
func untilAll(ctx context.Context, since time.Time, limit time.Duration, targets []*shop, what string,
	condition func(context.Context, *shop) (bool, string, error),
) (timed, error) {
	var (
		mu    sync.Mutex
		took  = timed{}
		errs  []error
		tasks sync.WaitGroup
	)
	for _, s := range targets {
		tasks.Go(func() {
			err := until(ctx, limit, what+" on "+s.name, func(ctx context.Context) (bool, string, error) { return condition(ctx, s) })
			mu.Lock()
			defer mu.Unlock()
			took[s] = time.Since(since)
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	tasks.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return took, errors.Join(errs...)
}

// showing is the condition that a shop shows a SKU's price as the webshop's
// price makes it.
func showing(sku string, price int64) func(context.Context, *shop) (bool, string, error) {
	return func(ctx context.Context, s *shop) (bool, string, error) {
		listing, err := s.Listing(ctx, sku)
		if err != nil {
			return false, "", err
		}
		want := s.shows(shown{price: price}).price
		return listing.Price == want, fmt.Sprintf("%s shows %s for %s, should show %s", s.name, dollars(listing.Price), sku, dollars(want)), nil
	}
}
