// Command medusadump makes sure that the database of a new Medusa shop is in
// the cache, from which hack/e2e/shops-image.sh takes it: the first start of a
// shop fills it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"selaras.dev/selaras/internal/shops"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	postgres, err := shops.StartPostgres(ctx, shops.PostgresOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, postgres.Close()) }()
	medusa, err := shops.StartMedusa(ctx, shops.MedusaOptions{Postgres: postgres})
	if err != nil {
		return err
	}
	return medusa.Close()
}
