package shopify

import "sync"

// maxRemembered bounds each map of a memory.
const maxRemembered = 200_000

// memory keeps which variant bears a SKU, and which SKU an inventory item has:
// the search for SKUs follows the data, and webhooks name inventory items only.
// It is a hint: what is read by it is looked at before it is believed. It may be
// lost at any time.
type memory struct {
	mu       sync.Mutex
	variants map[string]string // number of the variant by SKU
	skus     map[string]string // SKU by number of the inventory item
}

func newMemory() *memory {
	return &memory{variants: map[string]string{}, skus: map[string]string{}}
}

// note remembers the variant of a SKU, and its inventory item where that is
// known.
func (m *memory) note(sku, variant, item string) {
	if sku == "" || variant == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.variants) >= maxRemembered {
		clear(m.variants)
	}
	m.variants[sku] = variant
	if item == "" {
		return
	}
	if len(m.skus) >= maxRemembered {
		clear(m.skus)
	}
	m.skus[item] = sku
}

// variant is the number of the variant that last bore the SKU, or empty.
func (m *memory) variant(sku string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.variants[sku]
}

// sku is the SKU that the inventory item last had, or empty.
func (m *memory) sku(item string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.skus[item]
}
