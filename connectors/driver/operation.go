package driver

import "context"

// Operation labels a request for the metrics of the rate budget and the API:
// a small fixed set of words.
type Operation string

// The operations.
const (
	OpAccount Operation = "account"
	OpRead    Operation = "read"
	OpChanges Operation = "changes"
	OpOrders  Operation = "orders"
	OpWrite   Operation = "write"
	OpCreate  Operation = "create"
	OpRemove  Operation = "remove"
)

type operationKey struct{}

// WithOperation marks the requests made under the context as part of op.
func WithOperation(ctx context.Context, op Operation) context.Context {
	return context.WithValue(ctx, operationKey{}, op)
}

// OperationOf returns the operation of the context, OpRead if none was set.
func OperationOf(ctx context.Context) Operation {
	if op, ok := ctx.Value(operationKey{}).(Operation); ok {
		return op
	}
	return OpRead
}
