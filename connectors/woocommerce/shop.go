package woocommerce

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"selaras.dev/selaras/connectors/driver"
)

// shop is what a connection needs to know of the shop before it can read or
// write.
type shop struct {
	// id is the one that WooCommerce makes once for each installation, since 8.4;
	// empty before.
	id, name string
	currency string
	// decimals are those with which the shop counts prices.
	decimals int
}

// shopCache reads the shop at the first need; an error is not kept.
type shopCache struct {
	mu    sync.Mutex
	known *shop
}

// read returns what is known of the shop. Errors are of class Invalid when
// the channel's settings do not fit the shop.
func (k *shopCache) read(ctx context.Context, c *connection) (*shop, error) {
	k.mu.Lock()
	known := k.known
	k.mu.Unlock()
	if known != nil {
		return known, nil
	}
	return k.renew(ctx, c)
}

// renew reads the shop again.
func (k *shopCache) renew(ctx context.Context, c *connection) (*shop, error) {
	s, err := c.readShop(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.known = s
	k.mu.Unlock()
	return s, nil
}

// statusFields are named one by one: for the whole environment a shop asks other
// sites whether it can reach them, which may take many seconds.
const statusFields = "environment.home_url,environment.store_id,settings.currency,settings.number_of_decimals"

func (c *connection) readShop(ctx context.Context) (*shop, error) {
	const what = "read the shop's settings"
	var status struct {
		Environment struct {
			HomeURL string `json:"home_url"`
			StoreID string `json:"store_id"`
		} `json:"environment"`
		Settings struct {
			Currency string `json:"currency"`
			Decimals *int   `json:"number_of_decimals"`
		} `json:"settings"`
	}
	_, err := c.api.do(ctx, call{what: what, path: "/system_status", query: url.Values{"_fields": {statusFields}}}, &status)
	if err != nil {
		return nil, err
	}
	if status.Environment.HomeURL == "" || status.Settings.Currency == "" || status.Settings.Decimals == nil {
		return nil, badAnswer(what, false, "the answer is not the status of a WooCommerce shop")
	}
	s := &shop{
		id: status.Environment.StoreID, name: nameOf(status.Environment.HomeURL),
		currency: strings.ToUpper(status.Settings.Currency), decimals: *status.Settings.Decimals,
	}
	if s.currency != c.currency {
		return nil, invalid(what, "CurrencyNotAvailable", fmt.Sprintf("the shop sells in %s, not in %s", s.currency, c.currency))
	}
	return s, nil
}

// nameOf is what people call a site: its address.
func nameOf(home string) string {
	u, err := url.Parse(home)
	if err != nil || u.Host == "" {
		return home
	}
	return u.Host + strings.TrimRight(u.Path, "/")
}

// checkPrice says why the shop cannot sell at the price, nil if it can.
func (s *shop) checkPrice(price driver.Money) error {
	switch {
	case price.Currency != s.currency:
		return fmt.Errorf("the price is in %q, the channel in %s", price.Currency, s.currency)
	case price.Minor < 0:
		return fmt.Errorf("a price cannot be negative: %s", price)
	}
	// Zeros at the end need no decimals.
	_, fraction, _ := strings.Cut(price.Decimal(), ".")
	if used := len(strings.TrimRight(fraction, "0")); used > s.decimals {
		return fmt.Errorf("%s has more than the %d decimals with which the shop counts prices (Settings > General)", price, s.decimals)
	}
	return nil
}
