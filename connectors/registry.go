// Package connectors names the drivers that Selaras is built with.
package connectors

import (
	"maps"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/medusa"
	"selaras.dev/selaras/connectors/shopify"
	"selaras.dev/selaras/connectors/vendure"
	"selaras.dev/selaras/connectors/woocommerce"
)

var drivers = func() map[string]driver.Driver {
	byType := map[string]driver.Driver{}
	for _, d := range []driver.Driver{vendure.New(), medusa.New(), shopify.New(), woocommerce.New()} {
		byType[d.Describe().Type] = d
	}
	return byType
}()

// Drivers returns every driver by its type, the value of Channel.spec.type.
func Drivers() map[string]driver.Driver { return maps.Clone(drivers) }

// Lookup returns the driver of a type, and whether there is one.
func Lookup(channelType string) (driver.Driver, bool) {
	d, ok := drivers[channelType]
	return d, ok
}
