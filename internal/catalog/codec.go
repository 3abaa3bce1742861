package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Bounds of a fact's payload.
const (
	// MaxFactBytes is the largest payload, in bytes.
	MaxFactBytes = 1 << 20
	// MaxOrderLines is the most lines of one order.
	MaxOrderLines = 5000
)

// Errors of the codecs; they are matched with errors.Is.
var (
	// ErrUnknownFact: the type is none that this version knows. A newer
	// version wrote it; skip it.
	ErrUnknownFact = errors.New("unknown type of fact")
	// ErrInvalidFact: the payload cannot be what its type promises.
	ErrInvalidFact = errors.New("invalid fact")
)

// Type returns the type of the payload that is set, "" if none is.
func (f *Fact) Type() string {
	switch {
	case f.ItemObserved != nil:
		return TypeItemObserved
	case f.ItemRemoved != nil:
		return TypeItemRemoved
	case f.OrderChanged != nil:
		return TypeOrderChanged
	case f.StockObserved != nil:
		return TypeStockObserved
	case f.StockWritten != nil:
		return TypeStockWritten
	case f.StockConfirmed != nil:
		return TypeStockConfirmed
	case f.StockCounted != nil:
		return TypeStockCounted
	}
	return ""
}

func (f *Fact) payload() any {
	switch {
	case f.ItemObserved != nil:
		return f.ItemObserved
	case f.ItemRemoved != nil:
		return f.ItemRemoved
	case f.OrderChanged != nil:
		return f.OrderChanged
	case f.StockObserved != nil:
		return f.StockObserved
	case f.StockWritten != nil:
		return f.StockWritten
	case f.StockConfirmed != nil:
		return f.StockConfirmed
	case f.StockCounted != nil:
		return f.StockCounted
	}
	return nil
}

// EncodeFact returns the type and the payload of a fact for the hub. It fails
// with ErrInvalidFact when no payload is set or a bound is exceeded.
func EncodeFact(fact Fact) (string, []byte, error) {
	payload := fact.payload()
	if payload == nil {
		return "", nil, fmt.Errorf("%w: it has no payload", ErrInvalidFact)
	}
	if err := fact.bounded(); err != nil {
		return "", nil, err
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return "", nil, fmt.Errorf("%w: encode %s: %w", ErrInvalidFact, fact.Type(), err)
	}
	if len(data) > MaxFactBytes {
		return "", nil, fmt.Errorf("%w: %s has %d bytes, at most %d are possible", ErrInvalidFact, fact.Type(), len(data), MaxFactBytes)
	}
	return fact.Type(), data, nil
}

// DecodeFact reads what EncodeFact wrote. Unknown fields are ignored. Errors
// are ErrUnknownFact and ErrInvalidFact.
func DecodeFact(channel, typ string, data []byte, seq uint64, at time.Time) (Fact, error) {
	fact := Fact{Channel: channel, Seq: seq, Time: at}
	switch typ {
	case TypeItemObserved:
		fact.ItemObserved = new(ItemObserved)
	case TypeItemRemoved:
		fact.ItemRemoved = new(ItemRemoved)
	case TypeOrderChanged:
		fact.OrderChanged = new(OrderChanged)
	case TypeStockObserved:
		fact.StockObserved = new(StockObserved)
	case TypeStockWritten:
		fact.StockWritten = new(StockWritten)
	case TypeStockConfirmed:
		fact.StockConfirmed = new(StockConfirmed)
	case TypeStockCounted:
		fact.StockCounted = new(StockCounted)
	default:
		return Fact{}, fmt.Errorf("%w: %q of channel %q", ErrUnknownFact, typ, channel)
	}
	if len(data) > MaxFactBytes {
		return Fact{}, fmt.Errorf("%w: %s of channel %q has %d bytes, at most %d are possible", ErrInvalidFact, typ, channel, len(data), MaxFactBytes)
	}
	if err := json.Unmarshal(data, fact.payload()); err != nil {
		return Fact{}, fmt.Errorf("%w: decode %s of channel %q: %w", ErrInvalidFact, typ, channel, err)
	}
	if err := fact.bounded(); err != nil {
		return Fact{}, err
	}
	return fact, nil
}

func (f *Fact) bounded() error {
	if f.OrderChanged != nil && len(f.OrderChanged.Order.Lines) > MaxOrderLines {
		return fmt.Errorf("%w: order %q of channel %q has %d lines, at most %d are possible",
			ErrInvalidFact, f.OrderChanged.Order.ID, f.Channel, len(f.OrderChanged.Order.Lines), MaxOrderLines)
	}
	return nil
}
