package woocommerce

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// webhook is one that the shop has.
type webhook struct {
	ID          int64  `json:"id"`
	Status      string `json:"status"`
	Topic       string `json:"topic"`
	DeliveryURL string `json:"delivery_url"`
}

// webhookDisabled is the status in which a shop leaves a webhook that failed too
// often. One that is paused was paused by somebody.
const webhookDisabled = "disabled"

// keptTopics are those of the webhooks that a channel is kept with.
var keptTopics = []string{"product.created", "product.updated", "product.deleted", "order.created", "order.updated"}

// keepWebhooks makes the webhooks of the configured address that are missing,
// and makes those active again that the shop has disabled. What they would have
// told meanwhile is found by polling. A failure is no failure of the account: the
// next time will do.
func (c *connection) keepWebhooks(ctx context.Context) {
	if c.config.WebhookURL == "" || c.webhookSecret == "" {
		return
	}
	have, err := c.ownWebhooks(ctx)
	for _, topic := range keptTopics {
		if err != nil {
			break
		}
		if w, ok := have[topic]; !ok {
			err = c.makeWebhook(ctx, topic)
		} else if w.Status == webhookDisabled {
			err = c.wakeWebhook(ctx, w)
		}
	}
	if err != nil {
		c.log.Warn("the shop's webhooks could not be looked after", "error", err)
	}
}

const whatKeepWebhooks = "look after webhooks"

// ownWebhooks are the shop's webhooks of the configured address, by topic; of
// several, one that is not disabled.
func (c *connection) ownWebhooks(ctx context.Context) (map[string]webhook, error) {
	own := map[string]webhook{}
	for skip := 0; ; skip += maxPerPage {
		page, _, err := list[webhook](ctx, c.api, whatKeepWebhooks, "/webhooks", url.Values{
			"per_page": {strconv.Itoa(maxPerPage)}, "offset": {strconv.Itoa(skip)}, "orderby": {"id"}, "order": {"asc"},
		})
		if err != nil {
			return nil, err
		}
		for _, w := range page {
			if other, ok := own[w.Topic]; w.DeliveryURL == c.config.WebhookURL && (!ok || other.Status == webhookDisabled) {
				own[w.Topic] = w
			}
		}
		if len(page) < maxPerPage {
			return own, nil
		}
	}
}

func (c *connection) makeWebhook(ctx context.Context, topic string) error {
	var made webhook
	_, err := c.api.do(ctx, call{
		what: whatKeepWebhooks, method: http.MethodPost, path: "/webhooks", body: map[string]string{
			"name": "Selaras " + topic, "topic": topic, "delivery_url": c.config.WebhookURL, "secret": c.webhookSecret,
		},
	}, &made)
	if err == nil {
		c.log.Info("a webhook is made", "topic", topic, "webhook", made.ID)
	}
	return err
}

// wakeWebhook also tells the secret again: another one may be why deliveries
// failed.
func (c *connection) wakeWebhook(ctx context.Context, w webhook) error {
	_, err := c.api.do(ctx, call{
		what: whatKeepWebhooks, method: http.MethodPut, path: fmt.Sprintf("/webhooks/%d", w.ID),
		body: map[string]string{"status": "active", "secret": c.webhookSecret},
	}, &webhook{})
	if err == nil {
		c.log.Warn("a webhook that the shop had disabled is active again", "topic", w.Topic, "webhook", w.ID)
	}
	return err
}
