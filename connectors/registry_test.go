package connectors

import "testing"

func TestDriversAreFoundByTheirType(t *testing.T) {
	t.Parallel()
	for name, d := range Drivers() {
		if got := d.Describe().Type; got != name {
			t.Errorf("the driver of %q calls itself %q", name, got)
		}
		if _, ok := Lookup(name); !ok {
			t.Errorf("%q is not found", name)
		}
	}
	for _, name := range []string{"vendure", "medusa", "shopify", "woocommerce"} {
		if _, ok := Lookup(name); !ok {
			t.Errorf("%s is not found", name)
		}
	}
	if _, ok := Lookup("nosuch"); ok {
		t.Error("a type that does not exist is found")
	}
}
