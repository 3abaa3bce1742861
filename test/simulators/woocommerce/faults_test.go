package woocommerce

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A request that was sent to a frozen shop is carried out when it is thawed,
// although its client has gone.
func TestAFrozenShopGoesOnWithWhatItWasSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	id := s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	write := func(price string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, fmt.Sprintf("%s%s/products/%d", s.server.URL, root, id), strings.NewReader(`{"regular_price":"`+price+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(s.key.ConsumerKey, s.key.ConsumerSecret)
		response, err := s.server.Client().Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	s.Freeze()
	if err := write("2.00"); err == nil {
		t.Fatal("a frozen shop answered")
	}
	s.Thaw()
	eventually(t, "the write lands", func() error {
		if shown, _ := s.Show("A"); shown.Price != "2.00" {
			return fmt.Errorf("the price is %s", shown.Price)
		}
		return nil
	})
	s.LandLate(1)
	if err := write("3.00"); err == nil {
		t.Fatal("a write that is kept back was answered")
	}
	if err := write("4.00"); err != nil {
		t.Fatal(err)
	}
	if n := s.Land(); n != 1 {
		t.Errorf("%d writes landed, want 1", n)
	}
	if shown, _ := s.Show("A"); shown.Price != "3.00" {
		t.Errorf("the price is %s, want the late 3.00", shown.Price)
	}
}

func TestOutagesHaveTheirPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	s.StopDatabase()
	if a := s.call(t, http.MethodGet, "/products", ""); a.status != 500 || !strings.Contains(a.text, "database connection") {
		t.Errorf("without a database: %d %s", a.status, a.text)
	}
	s.StartDatabase()
	s.Maintain(10 * time.Minute)
	if a := s.call(t, http.MethodGet, "/products", ""); a.status != 503 || a.header.Get("Retry-After") != "600" {
		t.Errorf("while it is updated: %d %v", a.status, a.header)
	}
	s.Maintain(0)
	if a := s.call(t, http.MethodGet, "/products", ""); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.text)
	}
}

func TestAFrontLimitsAndLosesPatience(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	front := httptest.NewTLSServer(&Front{Shop: s.Shop, Rate: 1, Burst: 3, Timeout: 300 * time.Millisecond})
	defer front.Close()
	through := *s
	through.server = front
	counts := map[int]int{}
	for range 8 {
		a := through.call(t, http.MethodGet, "/products", "")
		counts[a.status]++
		if a.status == 429 && a.header.Get("Retry-After") != "1" {
			t.Errorf("headers %v", a.header)
		}
	}
	if counts[200] < 3 || counts[429] < 1 || counts[200]+counts[429] != 8 {
		t.Errorf("got %v", counts)
	}
	slow := httptest.NewTLSServer(&Front{Shop: s.Shop, Rate: 1000, Burst: 1000, Timeout: 300 * time.Millisecond})
	defer slow.Close()
	through.server = slow
	s.Freeze()
	if a := through.call(t, http.MethodGet, "/products", ""); a.status != 504 {
		t.Errorf("a frozen shop behind it: %d %s", a.status, a.text)
	}
	s.Thaw()
	if a := through.call(t, http.MethodGet, "/products", ""); a.status != 200 || a.header.Get("X-WP-Total") != "0" {
		t.Errorf("afterwards: %d %v", a.status, a.header)
	}
}
