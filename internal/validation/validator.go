package validation

import (
	"maps"
	"slices"
	"strings"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors/driver"
)

// Validator knows the drivers of this installation. It may be used by several
// goroutines at once.
type Validator struct {
	drivers  map[string]known
	reported compiledSchemas
}

// known is a driver as far as specs are judged by it.
type known struct {
	description driver.Description
	config      *Schema
	// broken is why the driver's schema cannot be used; nil if it can.
	broken error
}

// New makes a validator from the drivers by their type.
func New(drivers map[string]driver.Driver) *Validator {
	v := &Validator{drivers: make(map[string]known, len(drivers))}
	for name, d := range drivers {
		k := known{description: d.Describe()}
		k.config, k.broken = CompileSchema(k.description.ConfigSchema)
		v.drivers[name] = k
	}
	return v
}

// types lists the known channel types for people.
func (v *Validator) types() string {
	return strings.Join(slices.Sorted(maps.Keys(v.drivers)), ", ")
}

// driverOf returns what is known of the driver that a Channel will run. With
// an image of its own a Channel runs that image's driver, of which nothing is
// known until it reports.
func (v *Validator) driverOf(channel *selarasv1alpha1.Channel) (known, bool) {
	if ownImage(channel) {
		return known{}, false
	}
	k, ok := v.drivers[channel.Spec.Type]
	return k, ok
}

func ownImage(channel *selarasv1alpha1.Channel) bool {
	return channel.Spec.Connector != nil && channel.Spec.Connector.Image != ""
}
