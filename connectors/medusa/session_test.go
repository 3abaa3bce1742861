package medusa

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// door is the part of a server that lets in: tokens are counted, and only the
// newest is good.
type door struct {
	mu       sync.Mutex
	password string
	logins   int
	calls    int
	// forbid answers 403 to whoever is let in.
	forbid bool
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.URL.Path == "/auth/user/emailpass" {
		var login map[string]string
		if json.NewDecoder(r.Body).Decode(&login) != nil || login["password"] != d.password {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"type":"unauthorized","message":"Invalid email or password for %s"}`, login["email"])
			return
		}
		d.logins++
		_, _ = fmt.Fprintf(w, `{"token":"token-%d"}`, d.logins)
		return
	}
	d.calls++
	switch {
	case r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", d.logins):
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"message":"Unauthorized"}`))
	case d.forbid:
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"type":"forbidden","message":"no"}`))
	default:
		_, _ = w.Write([]byte(`{}`))
	}
}

func (d *door) change(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
}

func knock(t *testing.T, d *door) *api {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	endpoint, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &api{endpoint: endpoint, http: server.Client(), session: newSession("a@shop.test", "good")}
}

func (a *api) ask() error {
	return a.do(context.Background(), call{what: "ask", path: "/admin/any"}, &struct{}{})
}

func TestManyCallsLogInOnce(t *testing.T) {
	t.Parallel()
	d := &door{password: "good"}
	a := knock(t, d)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := a.ask(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d.logins != 1 {
		t.Errorf("%d logins, want 1", d.logins)
	}
}

func TestASessionThatEndedIsRenewedOnce(t *testing.T) {
	t.Parallel()
	d := &door{password: "good"}
	a := knock(t, d)
	if err := a.ask(); err != nil {
		t.Fatal(err)
	}
	d.change(func() { d.logins = 7 })
	if err := a.ask(); err != nil || d.logins != 8 {
		t.Errorf("after the session ended: %v, %d logins; want one more", err, d.logins-7)
	}
	d.change(func() { d.forbid = true })
	if err := a.ask(); driver.ClassOf(err) != driver.ClassUnauthorized || d.logins != 8 {
		t.Errorf("without permission: %v, %d logins; want Unauthorized and none", err, d.logins-8)
	}
}

func TestAnOldSessionIsRenewed(t *testing.T) {
	t.Parallel()
	d := &door{password: "good"}
	a := knock(t, d)
	if err := a.ask(); err != nil {
		t.Fatal(err)
	}
	old := <-a.session.gate
	old.since = old.since.Add(-sessionAge - time.Second)
	a.session.gate <- old
	if err := a.ask(); err != nil || d.logins != 2 {
		t.Errorf("%v, %d logins; want 2", err, d.logins)
	}
}

func TestARefusedLoginTellsNoCredential(t *testing.T) {
	t.Parallel()
	d := &door{password: "good"}
	a := knock(t, d)
	if err := a.login(context.Background()); err != nil {
		t.Fatal(err)
	}
	d.change(func() { d.password = "changed" })
	err := a.login(context.Background())
	if driver.ClassOf(err) != driver.ClassUnauthorized || strings.Contains(err.Error(), "shop.test") || strings.Contains(err.Error(), "good") {
		t.Errorf("got %v, want Unauthorized without e-mail and password", err)
	}
	before := d.calls
	if err := a.ask(); driver.ClassOf(err) != driver.ClassUnauthorized || d.calls != before {
		t.Errorf("after that: %v and %d calls; want Unauthorized and none with the old token", err, d.calls-before)
	}
}
