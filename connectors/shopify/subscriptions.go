package shopify

import (
	"context"
)

// topics are those that the driver reads, with the fields that it needs of their
// bodies: what else an order says of its buyer does not travel.
var topics = []struct {
	topic  string
	fields []string
}{
	{"PRODUCTS_CREATE", []string{"id", "variants"}},
	{"PRODUCTS_UPDATE", []string{"id", "variants"}},
	{"PRODUCTS_DELETE", []string{"id"}},
	{"INVENTORY_LEVELS_UPDATE", []string{"inventory_item_id", "location_id"}},
	{"ORDERS_CREATE", []string{"id"}},
	{"ORDERS_UPDATED", []string{"id"}},
	{"REFUNDS_CREATE", []string{"id", "order_id"}},
}

const subscriptionsQuery = `query Subscriptions($uri: String!, $after: String) {
  webhookSubscriptions(first: 100, after: $after, uri: $uri) { nodes { topic } pageInfo { hasNextPage endCursor } }
}`

// keepSubscriptions makes the subscriptions to the configured address that are
// not there: Shopify deletes those whose deliveries keep failing. What they would
// have told meanwhile is found by polling. A failure is no failure of the
// account: the next time will do.
func (c *connection) keepSubscriptions(ctx context.Context) {
	if c.config.WebhookURL == "" {
		return
	}
	made, err := c.subscribe(ctx)
	if err == nil && len(made) > 0 {
		c.api.log.Warn("webhook subscriptions that the shop did not have were made", "topics", made)
	}
	if err != nil {
		c.api.log.Warn("the shop's webhook subscriptions could not be looked after", "error", err)
	}
}

// subscribe returns the topics that are subscribed to now and were not before.
func (c *connection) subscribe(ctx context.Context) ([]string, error) {
	const what = "look after webhook subscriptions"
	have, err := c.subscribed(ctx, what)
	if err != nil {
		return nil, err
	}
	var (
		all     []mutation
		made    []string
		refused error
	)
	for _, t := range topics {
		if have[t.topic] {
			continue
		}
		all = append(all, mutation{
			field: "webhookSubscriptionCreate",
			arguments: []argument{
				{"topic", "WebhookSubscriptionTopic!", t.topic},
				{"webhookSubscription", "WebhookSubscriptionInput!", map[string]any{"uri": c.config.WebhookURL, "format": "JSON", "includeFields": t.fields}},
			},
			then: func(r result) {
				switch {
				case r.err != nil:
					refused = r.err
				case len(r.errors) > 0:
					refused = refusal(what, r.errors)
				default:
					made = append(made, t.topic)
				}
			},
		})
	}
	if _, err := c.runAll(ctx, what, "Subscribe", "", all); err != nil {
		return made, err
	}
	return made, refused
}

// subscribed are the topics that go to the configured address.
func (c *connection) subscribed(ctx context.Context, what string) (map[string]bool, error) {
	have := map[string]bool{}
	for after := any(nil); ; {
		var data struct {
			Subscriptions struct {
				Nodes []struct {
					Topic string `json:"topic"`
				} `json:"nodes"`
				Page pageInfo `json:"pageInfo"`
			} `json:"webhookSubscriptions"`
		}
		_, err := c.api.do(ctx, operation{what: what, name: "Subscriptions", query: subscriptionsQuery, variables: map[string]any{"uri": c.config.WebhookURL, "after": after}}, &data)
		if err != nil {
			return nil, err
		}
		for _, node := range data.Subscriptions.Nodes {
			have[node.Topic] = true
		}
		if !data.Subscriptions.Page.More {
			return have, nil
		}
		after = data.Subscriptions.Page.End
	}
}

// checkWebhookURL says why an address cannot be subscribed to.
func checkWebhookURL(address string) error {
	if address == "" {
		return nil
	}
	if _, err := shopURL(address); err != nil {
		return errNotWebhookURL
	}
	return nil
}
