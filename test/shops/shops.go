// Package shops gives tests the real shops of internal/shops: each starts with
// one call, fails the test with what to do when it cannot, and ends with the
// test. A shop whose packages are missing is installed first, once a machine.
package shops

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/internal/shops"
)

// startTimeout bounds a start on a machine that is busy with other tests.
const startTimeout = 3 * time.Minute

// StartVendure starts a Vendure shop that ends with the test.
func StartVendure(t testing.TB, options shops.VendureOptions) *shops.Vendure {
	t.Helper()
	install(t, "vendure", shops.VendureInstalled)
	return start(t, func(ctx context.Context) (*shops.Vendure, error) { return shops.StartVendure(ctx, options) })
}

// StartMedusa starts a Medusa server that ends with the test.
func StartMedusa(t testing.TB, options shops.MedusaOptions) *shops.Medusa {
	t.Helper()
	install(t, "medusa", shops.MedusaInstalled)
	return start(t, func(ctx context.Context) (*shops.Medusa, error) { return shops.StartMedusa(ctx, options) })
}

// StartPostgres starts a private PostgreSQL server that ends with the test.
func StartPostgres(t testing.TB) *shops.Postgres {
	t.Helper()
	install(t, "postgres", shops.PostgresInstalled)
	return start(t, func(ctx context.Context) (*shops.Postgres, error) {
		return shops.StartPostgres(ctx, shops.PostgresOptions{})
	})
}

// StartNginxLimiter starts an nginx in front of a shop that ends with the test.
func StartNginxLimiter(t testing.TB, options shops.LimiterOptions) *shops.Limiter {
	t.Helper()
	install(t, "nginx", shops.NginxInstalled)
	return start(t, func(ctx context.Context) (*shops.Limiter, error) { return shops.StartNginxLimiter(ctx, options) })
}

// ShopifySchema is the file of the schema that Shopify publishes.
func ShopifySchema(t testing.TB) string {
	t.Helper()
	var file string
	install(t, "shopify", func() (err error) {
		file, err = shops.ShopifySchema()
		return err
	})
	return file
}

func start[S interface{ Close() error }](t testing.TB, starting func(context.Context) (S, error)) S {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := starting(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// install runs the install script when something is missing.
func install(t testing.TB, name string, installed func() error) {
	t.Helper()
	err := installed()
	if err == nil {
		return
	}
	if !errors.Is(err, shops.ErrNotInstalled) {
		t.Fatal(err)
	}
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("finding the module's root: %v", err)
	}
	script := filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), "hack", "shops", "install.sh")
	t.Logf("running %s %s", script, name)
	if out, err := exec.Command(script, name).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", script, name, err, out)
	}
	if err := installed(); err != nil {
		t.Fatal(err)
	}
}
