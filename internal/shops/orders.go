package shops

import "fmt"

// Line is a number of units of one SKU.
type Line struct {
	SKU      string
	Quantity int
}

// Order is an order as the shop keeps it.
type Order struct {
	ID, Code, State string
	Lines           []OrderLine
	payments        []payment
}

// OrderLine is one SKU of an order.
type OrderLine struct {
	ID, SKU   string
	Ordered   int // units when the order was placed
	Quantity  int // units not cancelled
	Fulfilled int // units sent
}

func (o Order) line(sku string) (OrderLine, error) {
	for _, l := range o.Lines {
		if l.SKU == sku {
			return l, nil
		}
	}
	return OrderLine{}, fmt.Errorf("shops: order %s has no line with SKU %q", o.Code, sku)
}
