package loop

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

const webhookSecret = "whsec_YSBrZXkgZm9yIGJhZCBpbnB1dCB0ZXN0cw=="

// Deliveries that are malformed, too large, forged or of the wrong method are
// refused by their HTTP status, which the Channel tells; a good one is taken.
func badWebhooks(t *testing.T, p *place, s badShops) {
	f := newFront(t, s.web, (*httptest.Server).Start)
	values := credentials(s.web)
	values["webhookSecret"] = webhookSecret
	p.secret("web", values)
	channel := p.channel("web", f.adminURL(), func(spec *selarasv1alpha1.ChannelSpec) {
		spec.Webhooks = &selarasv1alpha1.Webhooks{Host: "hooks.example.com"}
	})
	p.ready(channel)
	p.shows(channel, "WebhooksHealthy", "True/Listening", "")
	_, pod := p.pod("web")
	address := "http://" + net.JoinHostPort(pod.Status.PodIP, "8081") + "/webhooks/" + p.namespace + "/web"

	signed := func(body []byte) http.Header {
		w, err := standardwebhooks.NewWebhook(webhookSecret)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		signature, err := w.Sign("msg_1", now, body)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {fmt.Sprint(now.Unix())}, "Webhook-Signature": {signature}}
	}
	send := func(method, to string, header http.Header, body []byte) int {
		request, err := http.NewRequestWithContext(t.Context(), method, to, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header
		response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	good := []byte(`{"type":"variant.updated","data":{"variantIds":["1"],"skus":["ITEM-0"]}}`)
	unknown := []byte(`{"type":"variant.updated","data":{"variantIds":["987654"],"skus":["NO-SUCH-SKU"]}}`)
	large := append([]byte(`{"type":"ping","data":{"x":"`), bytes.Repeat([]byte("x"), 2<<20)...)
	if got := send(http.MethodPost, address, signed([]byte("another body")), good); got != http.StatusUnauthorized {
		t.Errorf("a wrong signature is answered %d", got)
	}
	p.shows(channel, "WebhooksHealthy", "False/WebhooksFailing", "wrong signature")
	html := []byte("<html>")
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   []byte
	}{
		{"no signature", http.StatusUnauthorized, http.Header{}, good},
		{"no JSON", http.StatusBadRequest, signed(html), html},
		{"too large", http.StatusRequestEntityTooLarge, signed(large), large},
		{"an unknown SKU", http.StatusOK, signed(unknown), unknown},
		{"a good one", http.StatusOK, signed(good), good},
	} {
		got := send(http.MethodPost, address, c.header, c.body)
		// As a shop does: what was not taken in yet is sent again.
		for until := time.Now().Add(time.Minute); got == http.StatusServiceUnavailable && time.Now().Before(until); {
			got = send(http.MethodPost, address, c.header, c.body)
		}
		if got != c.status {
			t.Errorf("%s is answered %d, want %d", c.name, got, c.status)
		}
	}
	p.shows(channel, "WebhooksHealthy", "True/Listening", "")
	p.told(channel, "Warning", "WebhooksFailing")
	if got := send(http.MethodGet, address, http.Header{}, nil); got != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered %d", got)
	}
	if got := send(http.MethodPost, address+"/elsewhere", signed(good), good); got != http.StatusNotFound {
		t.Errorf("another path is answered %d", got)
	}
	p.shows(channel, "Ready", "True/Succeeded", "")
}
