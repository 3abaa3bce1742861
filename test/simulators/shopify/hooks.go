package shopify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// HookOptions are the habits of webhooks.
type HookOptions struct {
	// Delay is how late the n-th delivery is made, counted from 1; deliveries of
	// different delays come in another order than their events.
	Delay func(n int) time.Duration
	// Lose says that the n-th delivery is never made, Repeat that it is made
	// twice.
	Lose, Repeat func(n int) bool
	// Retries is how often a delivery is repeated that is not answered 2xx, and
	// RetryAfter the first wait, doubled each time. Shopify repeats 8 times
	// within 4 hours.
	Retries    int
	RetryAfter time.Duration
	// Timeout of a delivery; Shopify's is 5 seconds.
	Timeout time.Duration
}

// hooks delivers what subscriptions ask for.
type hooks struct {
	o      HookOptions
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu            sync.Mutex
	subscriptions []*subscription
	n             int
}

// subscription is one of a topic, of an app. It ends after failures.
type subscription struct {
	id                         int64
	app                        *app
	topic, url, secret, domain string
	// fields are those of the body that are sent, nil for all.
	fields []string
}

func newHooks(o HookOptions) *hooks {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &hooks{o: o, ctx: ctx, cancel: cancel}
}

func (h *hooks) close() {
	h.cancel()
	h.wg.Wait()
}

// Topics are those that the simulator has events of.
var Topics = []string{"products/create", "products/update", "products/delete", "inventory_levels/update", "orders/create", "orders/updated", "refunds/create"}

// Subscribe makes subscriptions of an app to all topics.
func (s *Shop) Subscribe(clientID, url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, topic := range Topics {
		s.hooks.add(s.newSubscription(s.apps[clientID], topic, url))
	}
}

// newSubscription makes one that is not added yet. The lock is held.
func (s *Shop) newSubscription(by *app, topic, url string) *subscription {
	return &subscription{id: s.newID(), app: by, topic: topic, url: url, secret: by.secret, domain: s.Domain()}
}

func (h *hooks) add(one *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscriptions = append(h.subscriptions, one)
}

// enum is a topic as the schema names it.
func enum(topic string) string { return strings.ToUpper(strings.ReplaceAll(topic, "/", "_")) }

// list are the subscriptions of an app, those to one address if one is given.
func (h *hooks) list(by *app, args arguments) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	uri := args.text("uri")
	mine := slices.DeleteFunc(slices.Clone(h.subscriptions), func(s *subscription) bool { return s.app != by || uri != "" && s.url != uri })
	return page(args, "WebhookSubscriptionConnection", mine, func(s *subscription) (int64, *object) { return s.id, subscriptionObject(s) })
}

func subscriptionObject(s *subscription) *object {
	return &object{kind: "WebhookSubscription", get: values(map[string]any{"id": gid("WebhookSubscription", s.id), "topic": enum(s.topic), "uri": s.url})}
}

// subscribe makes a subscription of the app. Addresses must be https, except
// those of a test on this machine. The lock is held.
func (s *Shop) subscribe(by *app, args arguments) *object {
	const kind = "WebhookSubscriptionCreatePayload"
	input := args.input("webhookSubscription")
	uri := input.text("uri")
	complain := func(message string) *object {
		return payload(kind, []complaint{{message: message, field: []string{"webhookSubscription", "uri"}}}, map[string]any{"webhookSubscription": (*object)(nil)})
	}
	i := slices.IndexFunc(Topics, func(topic string) bool { return enum(topic) == args.text("topic") })
	switch {
	case i < 0:
		panic("the simulator has no events of " + args.text("topic"))
	case strings.HasPrefix(uri, "http://") && !strings.HasPrefix(uri, "http://127.0.0.1:"):
		return complain("Address protocol http:// is not supported")
	case s.hooks.has(by, Topics[i], uri):
		return complain("Address for this topic has already been taken")
	}
	one := s.newSubscription(by, Topics[i], uri)
	if fields := input.texts("includeFields"); len(fields) > 0 {
		one.fields = fields
	}
	s.hooks.add(one)
	return payload(kind, nil, map[string]any{"webhookSubscription": subscriptionObject(one)})
}

func (h *hooks) has(by *app, topic, uri string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.subscriptions, func(s *subscription) bool { return s.app == by && s.topic == topic && s.url == uri })
}

// body is the event as the subscription is sent it.
func (s *subscription) body(event map[string]any) []byte {
	sent := event
	if s.fields != nil {
		sent = map[string]any{}
		for _, name := range s.fields {
			sent[name] = event[name]
		}
	}
	text, err := json.Marshal(sent)
	if err != nil {
		panic(err) // events are maps of texts and numbers
	}
	return text
}

// Unsubscribe ends all subscriptions.
func (s *Shop) Unsubscribe() {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	s.hooks.subscriptions = nil
}

// Subscribed are the topics that are subscribed to.
func (s *Shop) Subscribed() []string {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	var topics []string
	for _, one := range s.hooks.subscriptions {
		topics = append(topics, one.topic)
	}
	return topics
}

// Signature is that of a delivery with the body.
func Signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (h *hooks) product(p *product, topic string) {
	var variants []map[string]any
	for _, v := range p.variants {
		variants = append(variants, map[string]any{"id": v.id, "sku": v.sku, "inventory_item_id": v.item, "price": v.price})
	}
	h.send(topic, map[string]any{"id": p.id, "handle": p.handle, "title": p.title, "variants": variants})
}

func (h *hooks) deleted(p *product) { h.send("products/delete", map[string]any{"id": p.id}) }

func (h *hooks) level(v *variant, location int64, l *level) {
	h.send("inventory_levels/update", map[string]any{"inventory_item_id": v.item, "location_id": location, "available": l.available})
}

func (h *hooks) order(o *order, topic string) {
	body := map[string]any{"id": o.id, "email": "shopper@customer.test"}
	if topic == "refunds/create" {
		body = map[string]any{"id": o.refunds[len(o.refunds)-1].id, "order_id": o.id}
	}
	h.send(topic, body)
}

// send delivers an event to all that are subscribed to its topic.
func (h *hooks) send(topic string, event map[string]any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, to := range h.subscriptions {
		if to.topic != topic {
			continue
		}
		h.n++
		d := delivery{to: to, body: to.body(event), n: h.n, id: fmt.Sprintf("webhook-%d", h.n), at: time.Now()}
		if h.o.Lose != nil && h.o.Lose(d.n) {
			continue
		}
		h.wg.Go(func() { h.deliver(d) })
	}
}

type delivery struct {
	to   *subscription
	body []byte
	n    int
	id   string
	at   time.Time
}

// deliver makes the delivery, as often as it takes; a subscription whose
// delivery fails to the last is ended.
func (h *hooks) deliver(d delivery) {
	if h.o.Delay != nil && !h.wait(h.o.Delay(d.n)) {
		return
	}
	pause := h.o.RetryAfter
	for try := 0; try <= h.o.Retries; try++ {
		if try > 0 {
			if !h.wait(pause) {
				return
			}
			pause *= 2
		}
		if h.post(d) {
			if h.o.Repeat != nil && h.o.Repeat(d.n) {
				h.post(d)
			}
			return
		}
	}
	if h.ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscriptions = slices.DeleteFunc(h.subscriptions, func(s *subscription) bool { return s == d.to })
}

func (h *hooks) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.ctx.Done():
		return false
	}
}

func (h *hooks) post(d delivery) bool {
	ctx, cancel := context.WithTimeout(h.ctx, h.o.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.to.url, bytes.NewReader(d.body))
	if err != nil {
		return false
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-Shopify-Topic": d.to.topic, "X-Shopify-Hmac-Sha256": Signature(d.to.secret, d.body),
		"X-Shopify-Shop-Domain": d.to.domain, "X-Shopify-API-Version": Version, "X-Shopify-Webhook-Id": d.id,
		"X-Shopify-Event-Id": "event-" + d.id, "X-Shopify-Triggered-At": d.at.UTC().Format(time.RFC3339Nano),
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // so that the connection is used again
	return response.StatusCode >= 200 && response.StatusCode < 300
}
