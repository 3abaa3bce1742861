package connector

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/connectors/driver"
	defined "selaras.dev/selaras/internal/metrics"
	"selaras.dev/selaras/internal/metrics/metricstest"
)

// R51: a connector exports what the catalogue says, and nothing of a sync that
// its channel left.
func TestMetricsAreThoseOfTheCatalogue(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := newMetrics(registry, "retail", "marketplace")
	stays, goes := target{name: "main", groups: price}, target{name: "old", groups: price}
	m.alive(true)
	m.taken(intakeItems, time.Unix(1000, 0))
	m.taken(intakeOrder, time.Unix(1000, 0))
	for _, op := range []driver.Operation{driver.OpAccount, driver.OpRead, driver.OpChanges, driver.OpOrders, driver.OpWrite, driver.OpCreate, driver.OpRemove} {
		for _, status := range []int{200, 401, 404, 429, 503} {
			m.called(op, statusClass(status), time.Millisecond)
		}
		m.called(op, outcomeOf(errAnswerTooLarge), time.Millisecond)
	}
	m.waited(time.Millisecond)
	m.confirmed([]target{stays, goes}, price, time.Second, 2*time.Second)

	metricstest.Check(t, registry, "connector")
	for _, d := range defined.All() {
		for _, process := range d.From {
			if process == "connector" {
				metricstest.Exports(t, registry, d)
			}
		}
	}

	m.keep([]target{stays}, []target{stays, goes})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetValue() == "old" {
					t.Errorf("%s still has a series of the sync that was left", family.GetName())
				}
			}
		}
	}
}
