package connector

import (
	"bytes"
	"net/http"
	"testing"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/workload"
)

// A delivery that is being taken in when the connector ends is told to come
// again: it must not go on with a store that is closed.
func TestADeliveryUnderWayEndsWithTheTenure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.shop("source", habits())
	w.sync(workload.SyncConfig{
		Name: "main", UID: "main", Source: "source", Fields: allFields,
		Channels: map[string]workload.SyncChannel{"source": {Groups: []string{"stock"}}},
	})
	w.fold()
	source.Add("A", "A", eur(100), 1)
	source.start()
	source.inSync("main", 1)
	done, release := source.withhold(func(path string) bool { return path == "read" })
	defer release()
	body := encode(t, []driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{SKU: "A"}}})
	status := make(chan int, 1)
	go func() {
		req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, source.hooks, bytes.NewReader(body))
		if err != nil {
			status <- 0
			return
		}
		req.Header = source.Sign(body)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			status <- 0
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-done
	taking := source.taking.Load()
	halted := make(chan struct{})
	go func() {
		defer close(halted)
		source.halt()
	}()
	eventually(t, "the tenure has ended", func() bool {
		taking.mu.Lock()
		defer taking.mu.Unlock()
		return taking.poller == nil
	})
	release()
	if got := <-status; got != http.StatusServiceUnavailable {
		t.Errorf("the delivery is answered %d, want %d", got, http.StatusServiceUnavailable)
	}
	<-halted
}
