package connector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// Credentials: what is missing or refused is said, nothing hammers the shop,
// and a new Secret is picked up in the running process.
func TestCredentialsAreFollowed(t *testing.T) {
	t.Parallel()
	o := habits()
	o.Token = "first"
	f, s := oneTarget(t, o)
	f.items(item("A", 100, 5))
	if err := os.Remove(filepath.Join(s.creds, "token")); err != nil {
		t.Fatal(err)
	}
	s.start()
	is := func(state workload.CredentialState) func() bool {
		return func() bool { return s.report().Credentials == state }
	}
	eventually(t, "SecretMissing", is(workload.CredentialsMissing))
	if err := os.WriteFile(filepath.Join(s.creds, "other"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "KeyMissing", is(workload.CredentialsKeyMissing))
	if m := s.report().CredentialsMessage; !strings.Contains(m, "token") {
		t.Errorf("the message %q does not name the key", m)
	}
	s.token("wrong")
	eventually(t, "Unauthorized", is(workload.CredentialsUnauthorized))
	calls := s.Calls(driver.OpAccount) + s.Calls(driver.OpRead) + s.Calls(driver.OpChanges)
	at := s.report().At
	eventually(t, "later reports", func() bool { return s.report().At.After(at) || s.Calls(driver.OpAccount) > 100 })
	if more := s.Calls(driver.OpAccount) + s.Calls(driver.OpRead) + s.Calls(driver.OpChanges) - calls; more > 2 {
		t.Errorf("%d calls with refused credentials", more)
	}
	s.token("first")
	eventually(t, "Valid", is(workload.CredentialsValid))
	s.inSync("main", 1)
	s.SetToken("second")
	f.items(item("A", 200, 5))
	eventually(t, "Unauthorized after the rotation", is(workload.CredentialsUnauthorized))
	s.token("second")
	s.shows("A", 200, 5)
	eventually(t, "Valid again", is(workload.CredentialsValid))
	if r := fmt.Sprint(s.report()); strings.Contains(r, "wrong") || strings.Contains(r, "second") {
		t.Error("a credential is in the report (I9)")
	}
}

// Webhooks: bad ones get their status and nothing else; a good one is answered
// only after what it points at is a fact (I3).
func TestWebhooksAreAnsweredByWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	w, source, _, _ := three(t)
	source.Add("A", "Item", eur(100), 10)
	source.config.PollInterval = time.Hour // the webhook alone finds it
	source.configure()
	source.start()
	eventually(t, "told", func() bool { return len(w.told(observedOf("A"))) == 1 })
	send := func(body []byte, header http.Header) int {
		t.Helper()
		req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, source.hooks, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0 // no answer is no promise either
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	large := bytes.Repeat([]byte("x"), maxDelivery+1)
	good := encode(t, []driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{SKU: "A"}}})
	for what, c := range map[string]struct {
		body   []byte
		header http.Header
		want   int
	}{
		"too large":       {large, source.Sign(large), http.StatusRequestEntityTooLarge},
		"wrong signature": {good, http.Header{"X-Signature": {"00"}}, http.StatusUnauthorized},
		"malformed":       {[]byte("{"), source.Sign([]byte("{")), http.StatusBadRequest},
	} {
		if got := send(c.body, c.header); got != c.want {
			t.Errorf("%s: status %d, want %d", what, got, c.want)
		}
	}
	eventually(t, "webhooks reported as failing", func() bool { return source.report().Webhooks == "Failing" })
	source.SetPrice("A", eur(300))
	if got := send(good, source.Sign(good)); got != http.StatusOK {
		t.Fatalf("status %d, want %d", got, http.StatusOK)
	}
	eventually(t, "the price told", func() bool {
		return len(w.told(func(f catalog.Fact) bool { return f.ItemObserved != nil && f.ItemObserved.Price.Minor == 300 })) == 1
	})
	source.space.Close() // no hub, no promise: there is news that cannot be kept
	source.SetPrice("A", eur(400))
	if got := send(good, source.Sign(good)); got != http.StatusServiceUnavailable && got != 0 {
		t.Errorf("status %d without a hub", got)
	}
	source.stop()
	if err := <-source.done; err != nil {
		t.Log("as the connection was closed:", err)
	}
	source.stop = nil
}

// Deliveries that came while another was looked into are looked into with the
// next, though the sender of the first has gone (I3).
func TestADeliveryDoesNotDependOnTheSenderOfAnother(t *testing.T) {
	t.Parallel()
	w, source, _, _ := three(t)
	skus := []string{"A", "B", "C", "D", "E"}
	for _, sku := range skus {
		source.Add(sku, "Item", eur(100), 10)
	}
	source.config.PollInterval = time.Hour
	source.configure()
	source.start()
	eventually(t, "told", func() bool { return len(w.told(observedOf("E"))) == 1 })
	deliver := func(ctx context.Context, sku string) (int, error) {
		body := encode(t, []driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{SKU: sku}}})
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, source.hooks, bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header = source.Sign(body)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	open := source.Block()
	calls := source.Calls(driver.OpRead)
	first, leave := context.WithCancel(w.ctx)
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = deliver(first, "A") }()
	eventually(t, "the first delivery asks the shop", func() bool { return source.Calls(driver.OpRead) > calls })
	statuses := make(chan int, len(skus))
	for _, sku := range skus[1:] {
		go func() {
			status, err := deliver(w.ctx, sku)
			if err != nil {
				t.Error(err)
			}
			statuses <- status
		}()
	}
	eventually(t, "the others wait", func() bool { return source.deliveries() == len(skus) })
	leave()
	<-gone
	open()
	for range skus[1:] {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("a delivery is answered %d, want %d", status, http.StatusOK)
		}
	}
}

// Drift: what somebody else changes is written over, or only counted.
func TestDriftIsEnforcedOrOnlyObserved(t *testing.T) {
	t.Parallel()
	run := func(name string, mode workload.Mode, policy workload.DriftPolicy, repaired bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, s := oneTarget(t, habits())
			fields := map[string]workload.FieldConfig{"content": {Drift: policy}, "price": {Drift: policy}, "stock": {Drift: policy}}
			conf := workload.SyncConfig{Name: "main", Source: "erp", Mode: workload.Enforce, Fields: fields,
				Channels: map[string]workload.SyncChannel{"target": {Groups: every}}}
			f.w.sync(conf)
			f.items(item("A", 100, 5), item("B", 100, 5))
			s.start()
			s.inSync("main", 2)
			conf.Mode = mode
			conf.Generation = 7
			f.w.sync(conf)
			eventually(t, "the mode applied", func() bool { return s.report().Syncs["main"] == 8 })
			s.SetPrice("A", eur(555))
			s.SetStock("B", 77)
			if repaired {
				s.shows("A", 100, 5)
				s.shows("B", 100, 5)
				s.inSync("main", 2)
				return
			}
			eventually(t, "the drift counted", func() bool {
				p := s.report().Progress["main"]
				return p.Drifted == 2 && p.Pending == 0
			})
			s.shows("A", 555, 5)
			s.shows("B", 100, 77)
			// A new value of the source is no drift, and written unless all is
			// only observed.
			f.items(item("A", 200, 5))
			if mode == workload.Enforce {
				s.shows("A", 200, 5)
			}
			eventually(t, "the other drift left", func() bool { l, _ := s.Listing("B"); return l.Stock.OnHand == 77 })
		})
	}
	run("enforce", workload.Enforce, workload.DriftEnforce, true)
	run("leave", workload.Enforce, workload.DriftObserve, false)
	run("observe", workload.Observe, workload.DriftEnforce, false)
}

// What is only compared and is not on the channel at all differs too, also when
// the channel was read before the item came.
func TestMissingListingsAreObserved(t *testing.T) {
	t.Parallel()
	o := habits()
	o.Traits.LateWriteHorizon = time.Hour // no second comparison
	f, s := oneTarget(t, o)
	f.w.sync(workload.SyncConfig{Name: "main", Source: "erp", Mode: workload.Observe,
		Fields:   map[string]workload.FieldConfig{"content": {}, "price": {}, "stock": {}},
		Channels: map[string]workload.SyncChannel{"target": {Groups: every}}})
	s.start()
	eventually(t, "the first reading", func() bool { return s.report().ReadOnce })
	f.items(item("A", 100, 5), item("B", 100, 5))
	eventually(t, "the missing listings counted", func() bool {
		p := s.report().Progress["main"]
		return p.Drifted == 2 && p.InSync == 0 && p.Pending == 0
	})
}

// A change without a trace in the feed is found by a comparison.
func TestAComparisonFindsWhatTheFeedDoesNotTell(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	s.SetQuietly("A", eur(1))
	s.config.Requested = "look"
	s.configure()
	s.shows("A", 100, 5)
	eventually(t, "the request answered", func() bool { return s.report().Requested == "look" })
}

// Paused, held, or without a lease nothing is written; facts go on; after it
// the last value is.
func TestNothingIsWrittenWhilePausedOrHeld(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*workload.ChannelConfig){
		"paused": func(c *workload.ChannelConfig) { c.State = workload.Paused },
		"held":   func(c *workload.ChannelConfig) { c.Hold = &workload.Hold{Until: time.Now().Add(time.Hour)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, s := oneTarget(t, habits())
			f.items(item("A", 100, 5))
			s.start()
			s.inSync("main", 1)
			before := s.config
			stop(&s.config)
			s.config.Generation = 2
			s.configure()
			eventually(t, "the report says so", func() bool { r := s.report(); return r.Generation == 2 && !r.Writing })
			wrote := s.Calls(driver.OpWrite)
			f.items(item("A", 200, 5))
			eventually(t, "pending", func() bool { p := s.report().Progress["main"]; return p.Pending == 1 && len(p.OldestPending) == 1 })
			if got := s.Calls(driver.OpWrite) - wrote; got != 0 {
				t.Errorf("%d writes", got)
			}
			s.config = before
			s.config.Generation = 3
			s.configure()
			s.shows("A", 200, 5)
			s.inSync("main", 1)
		})
	}
}

// Two instances of one connector: the second waits ready, and takes over only
// after the first; no version goes back (I2).
func TestASuccessorWaitsForTheLease(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	second := &shop{Shop: s.Shop, w: s.w, name: s.name, server: s.server, options: s.options, config: s.config, creds: s.creds, dir: t.TempDir()}
	second.space = s.w.as(hub.Workload{Kind: hub.Connector, Name: s.name})
	second.start()
	ready := func(x *shop) func() bool {
		return func() bool {
			resp, err := http.Get(x.health + "/readyz")
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		}
	}
	eventually(t, "the first ready", ready(s))
	eventually(t, "the standby ready", ready(second))
	if second.engine.Load() != nil {
		t.Fatal("the standby works without the lease")
	}
	s.halt()
	f.items(item("A", 200, 5))
	second.shows("A", 200, 5)
	s.ascending("A")
}

// I8, hub gone: without a hub the lease runs out, and with it the writes.
func TestWritesStopWithTheLease(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	// Somebody else takes the lease, as after a long pause of this process.
	if _, err := s.w.operator.Put(s.w.ctx, workload.LeaseChannelPrefix+s.name, []byte(`{"holder":"another","waitMillis":1500}`)); err != nil {
		t.Fatal(err)
	}
	e := s.engine.Load()
	eventually(t, "the lease noticed as lost", func() bool { return !e.holds() })
	// It comes back when the other is silent for its time.
	f.items(item("A", 200, 5))
	s.shows("A", 200, 5)
	s.ascending("A")
}

// Delist takes what Selaras keeps out of sale and says when it is done.
func TestDelistingTakesEverythingOutOfSale(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	f.items(item("A", 100, 5), item("B", 100, 5))
	s.Add("OWN", "not ours", eur(1), 1)
	s.start()
	s.inSync("main", 2)
	s.config.Delist = true
	s.configure()
	eventually(t, "delisted", func() bool { return s.report().Delisted })
	for sku, want := range map[string]bool{"A": false, "B": false, "OWN": true} {
		if l, _ := s.Listing(sku); l.Content.Enabled != want {
			t.Errorf("%s enabled is %v", sku, l.Content.Enabled)
		}
	}
}

// What was written here is delisted also when the sync that wrote it has gone
// before, as it does when both are deleted at once.
func TestDelistingOutlivesTheSync(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	f.items(item("A", 100, 5), item("B", 100, 5))
	s.Add("OWN", "not ours", eur(1), 1)
	s.start()
	s.inSync("main", 2)
	f.w.sync(workload.SyncConfig{Name: "main", Source: "erp", Mode: workload.Enforce})
	eventually(t, "the sync gone", func() bool { _, there := s.report().Progress["main"]; return !there })
	s.config.Delist = true
	s.configure()
	eventually(t, "delisted", func() bool { return s.report().Delisted })
	for sku, want := range map[string]bool{"A": false, "B": false, "OWN": true} {
		if l, _ := s.Listing(sku); l.Content.Enabled != want {
			t.Errorf("%s enabled is %v", sku, l.Content.Enabled)
		}
	}
}

// Metrics name the channel and its sync, never a SKU.
func TestMetricsHaveBoundedLabels(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	f.items(item("SECRET-SKU", 100, 5))
	s.start()
	s.inSync("main", 1)
	f.items(item("SECRET-SKU", 200, 5))
	s.shows("SECRET-SKU", 200, 5)
	var text string
	eventually(t, "the propagation measured", func() bool {
		resp, err := http.Get(s.health + "/metrics")
		if err != nil {
			return false
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		text = string(b)
		return strings.Contains(text, `selaras_sync_propagation_seconds_count{catalogsync="main",channel="target",namespace="`+s.w.namespace+`"} 1`)
	})
	for _, want := range []string{"selaras_channel_up{", `selaras_channel_api_requests_total{channel="target"`, "selaras_channel_intake_timestamp_seconds{", "selaras_channel_rate_limit_wait_seconds_bucket{"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if strings.Contains(text, "SECRET-SKU") {
		t.Error("a SKU is in the metrics")
	}
}
