package woocommerce

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // what wp_hash makes an id of
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// webhook is one that a shop has.
type webhook struct {
	ID                 int64
	Name, Status       string
	Topic, URL, Secret string
	Failures           int
	Created, Modified  time.Time
}

// maxFailures is after how many failed deliveries in a row the next one disables
// a webhook.
const maxFailures = 5

// touch is something that happened to something, for webhooks.
type touch struct {
	topic string
	id    int64
}

func (s *Shop) touch(topic string, id int64) { s.touched[touch{topic, id}] = true }

// schedule leaves to the sender what a request has changed, each once.
func (s *Shop) schedule() {
	touched := s.touched
	s.touched = map[touch]bool{}
	for t := range touched {
		if created := (touch{strings.Replace(t.topic, ".updated", ".created", 1), t.id}); created != t && touched[created] {
			continue
		}
		for _, w := range s.webhooks {
			if w.Status == "active" && w.Topic == t.topic {
				s.sender.add(job{webhook: w.ID, touch: t})
			}
		}
	}
}

var webhookTopics = []string{
	"product.created", "product.updated", "product.deleted", "product.restored",
	"order.created", "order.updated", "order.deleted", "order.restored",
	"customer.created", "customer.updated", "customer.deleted", "coupon.created", "coupon.updated", "coupon.deleted",
}

// routeWebhooks answers /webhooks and below.
func (s *Shop) routeWebhooks(q *request) (int, any, error) {
	if len(q.path) == 1 {
		switch q.Method {
		case http.MethodGet:
			return s.listWebhooks(q)
		case http.MethodPost:
			w, err := s.createWebhook(text(q.body["topic"]), text(q.body["delivery_url"]), text(q.body["secret"]))
			if err != nil {
				return 0, nil, err
			}
			return http.StatusCreated, s.webhookView(w), nil
		}
		return 0, nil, noRoute()
	}
	id, err := q.id(1)
	if err != nil {
		return 0, nil, err
	}
	w := s.webhooks[id]
	if w == nil {
		return 0, nil, refuse(http.StatusBadRequest, "woocommerce_rest_shop_webhook_invalid_id", "ID is invalid.")
	}
	switch q.Method {
	case http.MethodGet:
	case http.MethodPut, http.MethodPost:
		if status := text(q.body["status"]); status != "" {
			if !slices.Contains([]string{"active", "paused", "disabled"}, status) {
				return 0, nil, refuse(http.StatusBadRequest, "woocommerce_rest_shop_webhook_invalid_status", "Webhook status must be valid.")
			}
			// The count of failures stays as it is.
			w.Status, w.Modified = status, s.now()
		}
		if secret := text(q.body["secret"]); secret != "" {
			w.Secret = secret
		}
	case http.MethodDelete:
		delete(s.webhooks, id)
	default:
		return 0, nil, noRoute()
	}
	return http.StatusOK, s.webhookView(w), nil
}

func (s *Shop) listWebhooks(q *request) (int, any, error) {
	all := []object{}
	for _, id := range sortedKeys(s.webhooks) {
		w := s.webhooks[id]
		if status := q.query.Get("status"); status == "" || status == "all" || status == w.Status {
			all = append(all, only(s.webhookView(w), q.fields()))
		}
	}
	perPage, err := q.number("per_page", 10, 1, maxPerPage)
	if err != nil {
		return 0, nil, err
	}
	skip, err := q.number("offset", 0, 0, 1<<30)
	if err != nil {
		return 0, nil, err
	}
	q.count(s, len(all), perPage, 1)
	return http.StatusOK, all[min(skip, len(all)):min(skip+perPage, len(all))], nil
}

func sortedKeys[V any](m map[int64]V) []int64 {
	keys := make([]int64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// createWebhook makes a webhook and announces it.
func (s *Shop) createWebhook(topic, address, secret string) (*webhook, error) {
	if !slices.Contains(webhookTopics, topic) && !strings.HasPrefix(topic, "action.") {
		return nil, refuse(http.StatusBadRequest, "woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic is required and must be valid.")
	}
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		return nil, refuse(http.StatusBadRequest, "woocommerce_rest_shop_webhook_invalid_delivery_url", "Webhook delivery URL must be a valid URL starting with http:// or https://.")
	}
	w := &webhook{
		ID: s.nextID(), Name: "Webhook", Status: "active", Topic: topic, URL: address, Secret: secret,
		Created: s.now(), Modified: s.now(),
	}
	s.webhooks[w.ID] = w
	s.sender.add(job{webhook: w.ID, ping: true})
	return w, nil
}

func (s *Shop) webhookView(w *webhook) object {
	resource, event, _ := strings.Cut(w.Topic, ".")
	o := object{
		"id": w.ID, "name": w.Name, "status": w.Status, "topic": w.Topic, "resource": resource, "event": event,
		"hooks": []string{}, "delivery_url": w.URL,
	}
	s.times(o, "date_created", w.Created)
	s.times(o, "date_modified", w.Modified)
	return o
}

// delivery is one as it is sent; not ok where there is nothing to send any more.
func (s *Shop) delivery(j job) (address string, body []byte, header http.Header, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.webhooks[j.webhook]
	if w == nil {
		return "", nil, nil, false
	}
	if j.ping {
		header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		return w.URL, []byte("webhook_id=" + strconv.FormatInt(w.ID, 10)), header, true
	}
	body, err := json.Marshal(s.payload(j.touch))
	if err != nil {
		return "", nil, nil, false
	}
	header = s.signed(w, body)
	return w.URL, body, header, true
}

// payload is the resource as it is when it is told of, or its id alone once it
// is deleted.
func (s *Shop) payload(t touch) object {
	resource, event, _ := strings.Cut(t.topic, ".")
	if event != "deleted" {
		if p, ok := s.product(t.id); ok && resource == "product" {
			return s.viewOf(p, false)
		}
		if o, ok := s.order(t.id); ok && resource == "order" {
			return s.orderView(o)
		}
		return object{"code": "woocommerce_rest_" + resource + "_invalid_id", "message": "Invalid ID.", "data": object{"status": 404}}
	}
	return object{"id": t.id}
}

func (s *Shop) signed(w *webhook, body []byte) http.Header {
	resource, event, _ := strings.Cut(w.Topic, ".")
	mac := hmac.New(sha256.New, []byte(w.Secret))
	_, _ = mac.Write(body)
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("X-WC-Webhook-Source", "https://shop.test/")
	header.Set("X-WC-Webhook-Topic", w.Topic)
	header.Set("X-WC-Webhook-Resource", resource)
	header.Set("X-WC-Webhook-Event", event)
	header.Set("X-WC-Webhook-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	header.Set("X-WC-Webhook-ID", strconv.FormatInt(w.ID, 10))
	header.Set("X-WC-Webhook-Delivery-ID", s.deliveryID(w))
	return header
}

// deliveryID is made of the webhook and the second.
func (s *Shop) deliveryID(w *webhook) string {
	sum := md5.Sum(fmt.Appendf(nil, "%s%d%d", s.store, w.ID, s.clock().Unix())) //nolint:gosec // no secret
	return hex.EncodeToString(sum[:])
}

// count notes how a delivery went. Failures in a row disable the webhook.
func (s *Shop) count(id int64, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.webhooks[id]
	switch {
	case w == nil:
	case status >= 200 && status < 303:
		w.Failures = 0
	case w.Failures > maxFailures:
		w.Status = "disabled"
	default:
		w.Failures++
	}
}

// post sends a delivery and returns the status of its answer, 0 for none.
func post(ctx context.Context, client *http.Client, address string, body []byte, header http.Header) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header = header
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}
