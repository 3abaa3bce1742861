package vendure

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// shop is what a connection needs to know of the shop before it can read or
// write; it is read once.
type shop struct {
	channelCode     string
	defaultCurrency string
	currencies      []string
	// language is the Vendure language code of the content.
	language string
	// precision is the number of decimals of every stored amount.
	precision int
	// location is the id of the stock location.
	location string
}

// shopCache reads the shop at the first need; an error is not kept.
type shopCache struct {
	mu    sync.Mutex
	known *shop
}

const shopQuery = `query Shop {
  activeChannel { code token defaultCurrencyCode availableCurrencyCodes defaultLanguageCode availableLanguageCodes }
  globalSettings { serverConfig { moneyStrategyPrecision } }
  stockLocations(options: {take: 1000, sort: {id: ASC}}) { items { id name } }
}`

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
	const what = "read the shop's settings"
	var data struct {
		ActiveChannel struct {
			Code       string   `json:"code"`
			Token      string   `json:"token"`
			Currency   string   `json:"defaultCurrencyCode"`
			Currencies []string `json:"availableCurrencyCodes"`
			Language   string   `json:"defaultLanguageCode"`
			Languages  []string `json:"availableLanguageCodes"`
		} `json:"activeChannel"`
		GlobalSettings struct {
			ServerConfig struct {
				Precision int `json:"moneyStrategyPrecision"`
			} `json:"serverConfig"`
		} `json:"globalSettings"`
		StockLocations struct {
			Items []named `json:"items"`
		} `json:"stockLocations"`
	}
	if err := c.api.do(ctx, operation{what: what, query: shopQuery}, &data); err != nil {
		return nil, err
	}
	channel := data.ActiveChannel
	if want := c.config.ChannelToken; want != "" && want != channel.Token {
		// A server with one channel answers for it whatever the token.
		return nil, invalid(what, reasonUnknownChannel, "the shop has no channel with config.channelToken")
	}
	s := &shop{
		channelCode:     channel.Code,
		defaultCurrency: channel.Currency,
		currencies:      channel.Currencies,
		precision:       data.GlobalSettings.ServerConfig.Precision,
	}
	var ok bool
	if s.language, ok = language(c.locale, channel.Language, channel.Languages); !ok {
		return nil, invalid(what, "LocaleNotAvailable", fmt.Sprintf("the shop's channel has no content in %q, only in %s", c.locale, strings.Join(channel.Languages, ", ")))
	}
	if !slices.Contains(s.currencies, c.currency) {
		return nil, invalid(what, "CurrencyNotAvailable", fmt.Sprintf("the shop's channel does not sell in %s, only in %s", c.currency, strings.Join(s.currencies, ", ")))
	}
	location, err := pick(data.StockLocations.Items, c.config.StockLocation)
	if err != nil {
		return nil, invalid(what, "StockLocationNotFound", "config.stockLocation: "+err.Error())
	}
	s.location = location.ID
	k.mu.Lock()
	k.known = s
	k.mu.Unlock()
	return s, nil
}

// named is anything with an id and a name.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// pick finds one by id or, failing that, by name; the first for no wish.
func pick(from []named, wish string) (named, error) {
	if wish == "" && len(from) > 0 {
		return from[0], nil
	}
	var names []string
	for _, n := range from {
		if n.ID == wish {
			return n, nil
		}
		names = append(names, n.Name)
	}
	if i := slices.Index(names, wish); i >= 0 {
		return from[i], nil
	}
	return named{}, fmt.Errorf("there is no %q, only %q", wish, names)
}

// language finds the shop's language code for a BCP 47 tag: "pt-BR" is
// "pt_BR" in Vendure, or else "pt".
func language(locale, fallback string, available []string) (string, bool) {
	if locale == "" {
		return fallback, true
	}
	tag := strings.ReplaceAll(locale, "-", "_")
	for {
		for _, code := range append(slices.Clone(available), fallback) {
			if strings.EqualFold(code, tag) {
				return code, true
			}
		}
		cut := strings.LastIndexByte(tag, '_')
		if cut < 0 {
			return "", false
		}
		tag = tag[:cut]
	}
}
