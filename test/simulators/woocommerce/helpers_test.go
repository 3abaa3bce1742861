package woocommerce

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is a shop over TLS, and a key to it.
type site struct {
	*Shop
	server *httptest.Server
	key    Key
}

func newSite(t *testing.T, options Options) *site {
	t.Helper()
	s := &site{Shop: New(options)}
	s.server = httptest.NewTLSServer(s.Shop)
	t.Cleanup(func() {
		s.Thaw()
		s.server.Close()
		s.Close()
	})
	s.key = s.NewKey(true)
	return s
}

// answered is what came back.
type answered struct {
	status int
	header http.Header
	text   string
}

// call makes a request below the API's root.
func (s *site) call(t *testing.T, method, path, body string) answered {
	t.Helper()
	var payload io.Reader
	if body != "" {
		payload = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+root+path, payload)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(s.key.ConsumerKey, s.key.ConsumerSecret)
	return send(t, s.server.Client(), request)
}

func send(t *testing.T, client *http.Client, request *http.Request) answered {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{response.StatusCode, response.Header, string(text)}
}

// get is the answer to a GET that is to succeed.
func get[T any](t *testing.T, s *site, path string) T {
	t.Helper()
	return ok[T](t, s.call(t, http.MethodGet, path, ""))
}

func ok[T any](t *testing.T, a answered) T {
	t.Helper()
	var v T
	decoder := json.NewDecoder(bytes.NewReader([]byte(a.text)))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil || a.status < 200 || a.status > 299 {
		t.Fatalf("HTTP %d %s (%v)", a.status, a.text, err)
	}
	return v
}

// fails checks the error of an answer.
func (a answered) fails(t *testing.T, what string, status int, code string) {
	t.Helper()
	var e struct {
		Code string
		Data struct{ Status int }
	}
	if err := json.Unmarshal([]byte(a.text), &e); err != nil || a.status != status || e.Code != code || e.Data.Status != status {
		t.Errorf("%s: HTTP %d %s, want %d %s", what, a.status, a.text, status, code)
	}
}

// ids are those of a list.
func ids(list []object) string {
	var all []string
	for _, o := range list {
		all = append(all, o["id"].(json.Number).String())
	}
	return strings.Join(all, ",")
}

// hooked takes webhooks, and answers with a status.
type hooked struct {
	mu     sync.Mutex
	status int
	all    []delivered
}

type delivered struct {
	header http.Header
	body   string
}

func (h *hooked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.all = append(h.all, delivered{r.Header.Clone(), string(body)})
	}
	w.WriteHeader(h.status)
}

func (h *hooked) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

func (h *hooked) list() []delivered {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]delivered(nil), h.all...)
}

func startHooked(t *testing.T) (*hooked, string) {
	t.Helper()
	h := &hooked{status: http.StatusOK}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, server.URL
}

func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		timer := time.NewTimer(10 * time.Millisecond)
		<-timer.C
	}
}

// settle waits until all webhooks are delivered.
func (s *site) settle(t *testing.T) {
	t.Helper()
	eventually(t, "webhooks are delivered", func() error {
		if !s.Idle() {
			return errors.New("some wait")
		}
		return nil
	})
}
