package shopify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// shop is what a connection needs to know of the shop before it can read or
// write.
type shop struct {
	id, name, domain, currency string
	// location is the id of the location.
	location string
	// publication is the id of the sales channel that listings must be published
	// to, empty for none.
	publication string
}

// shopCache reads the shop at the first need; an error is not kept.
type shopCache struct {
	mu    sync.Mutex
	known *shop
}

// peek is what is known of the shop, or nil.
func (k *shopCache) peek() *shop {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known
}

// read returns what is known of the shop. Errors are of class Invalid when the
// channel's settings do not fit the shop.
func (k *shopCache) read(ctx context.Context, c *connection) (*shop, error) {
	if known := k.peek(); known != nil {
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

const whatShop = "read the shop's settings"

const shopQuery = `query Shop {
  shop { id name myshopifyDomain currencyCode }
  location { id name isActive }
}`

const locationsQuery = `query Locations($after: String) {
  locations(first: 250, after: $after) { nodes { id name } pageInfo { hasNextPage endCursor } }
}`

const publicationsQuery = `query Publications($after: String) {
  publications(first: 250, after: $after) { nodes { id name } pageInfo { hasNextPage endCursor } }
}`

// named is anything with an id and a name.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// pageInfo says how a connection goes on.
type pageInfo struct {
	More bool   `json:"hasNextPage"`
	End  string `json:"endCursor"`
}

func (c *connection) readShop(ctx context.Context) (*shop, error) {
	var data struct {
		Shop struct {
			named
			Domain   string `json:"myshopifyDomain"`
			Currency string `json:"currencyCode"`
		} `json:"shop"`
		Location *named `json:"location"`
	}
	if _, err := c.api.do(ctx, operation{what: whatShop, name: "Shop", query: shopQuery}, &data); err != nil {
		return nil, err
	}
	if data.Shop.ID == "" {
		return nil, badAnswer(operation{what: whatShop}, nil)
	}
	s := &shop{id: data.Shop.ID, name: data.Shop.Name, domain: data.Shop.Domain, currency: data.Shop.Currency}
	if s.currency != c.currency {
		return nil, invalid(whatShop, "CurrencyNotAvailable", fmt.Sprintf("the shop sells in %s, and the channel's currency is %s", s.currency, c.currency))
	}
	if data.Location != nil {
		s.location = data.Location.ID
	}
	if c.config.Location != "" || s.location == "" {
		found, err := c.choose(ctx, "locations", locationsQuery, kindLocation, c.config.Location)
		if err != nil {
			return nil, refine(err, "UnknownLocation", "config.location")
		}
		s.location = found.ID
	}
	published, err := c.choose(ctx, "publications", publicationsQuery, kindPublished, c.config.Publication)
	switch _, none := err.(noChoice); { //nolint:errorlint // made by choose, never wrapped
	case none && c.config.Publication == "":
		// A shop without sales channels: the status of products is all there is.
	case err != nil:
		return nil, refine(err, "UnknownPublication", "config.publication")
	}
	s.publication = published.ID
	return s, nil
}

// onlineStore is the name of the sales channel that every shop with a web shop
// of Shopify's own has.
const onlineStore = "Online Store"

// noChoice says that a wish is not there.
type noChoice struct{ text string }

func (e noChoice) Error() string { return e.text }

func refine(err error, reason, key string) error {
	if missing, ok := err.(noChoice); ok { //nolint:errorlint // made by choose, never wrapped
		return invalid(whatShop, reason, key+": "+missing.text)
	}
	return err
}

// choose finds one of a list by id or, failing that, by name; for no wish the
// Online Store, or else the first.
func (c *connection) choose(ctx context.Context, list, query, kind, wish string) (named, error) {
	var all []named
	for after := any(nil); ; {
		var data map[string]struct {
			Nodes []named  `json:"nodes"`
			Page  pageInfo `json:"pageInfo"`
		}
		name := strings.ToUpper(list[:1]) + list[1:]
		if _, err := c.api.do(ctx, operation{what: "read " + list, name: name, query: query, variables: map[string]any{"after": after}}, &data); err != nil {
			return named{}, err
		}
		all = append(all, data[list].Nodes...)
		if !data[list].Page.More {
			break
		}
		after = data[list].Page.End
	}
	return pick(all, kind, wish)
}

func pick(from []named, kind, wish string) (named, error) {
	preferred := wish
	if wish == "" {
		preferred = onlineStore
	}
	if i := slices.IndexFunc(from, func(n named) bool { return wish != "" && (n.ID == wish || n.ID == gid(kind, wish)) }); i >= 0 {
		return from[i], nil
	}
	if i := slices.IndexFunc(from, func(n named) bool { return n.Name == preferred }); i >= 0 {
		return from[i], nil
	}
	if wish == "" && len(from) > 0 {
		return from[0], nil
	}
	names := make([]string, len(from))
	for i, n := range from {
		names[i] = n.Name
	}
	return named{}, noChoice{fmt.Sprintf("there is no %q, only %q", wish, names)}
}
