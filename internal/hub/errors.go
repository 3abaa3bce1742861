package hub

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors of this package. They are matched with errors.Is; the message of the
// returned error says what was tried on what.
var (
	// ErrHubFull: a stream or the namespace reached its storage limit and
	// nothing was stored. Retry after facts were trimmed or the limit raised.
	ErrHubFull = errors.New("hub storage is full")
	// ErrFenced: another owner moved the cursor since it was read. Nothing of
	// the batch was stored. Stop, acquire the lease, read the cursor again.
	ErrFenced = errors.New("fold refused: the cursor was moved by another owner")
	// ErrBatchTooLarge: a fold has more than MaxRecords records. Split it.
	ErrBatchTooLarge = errors.New("fold is too large")
	// ErrRegressed: the log is older than the reader's position, or was
	// created anew (a restore from backup, or lost storage). Compare everything.
	ErrRegressed = errors.New("the log is older than the reader's position")
	// ErrTorn: there are records after the cursor, which a fold always ends
	// with: the disk ran full in the middle of one. Compare everything.
	ErrTorn = errors.New("a fold was stored in part")
	// ErrNotFound: the key has no value.
	ErrNotFound = errors.New("key not found")
	// ErrConflict: the key changed since the given revision.
	ErrConflict = errors.New("key was changed by someone else")
	// ErrForbidden: the credentials do not allow the subject.
	ErrForbidden = errors.New("not allowed by the hub credentials")
	// ErrTooLarge: a message is larger than the server accepts.
	ErrTooLarge = errors.New("message is larger than the hub accepts")
	// ErrInvalidToken: a SKU, order line or name that cannot be a subject token.
	ErrInvalidToken = errors.New("invalid token")
	// ErrNotFolded: facts at or above the fold cursor may not be trimmed.
	ErrNotFolded = errors.New("facts above the fold cursor cannot be trimmed")
	// ErrLeaseLost: the lease was lost or has expired.
	ErrLeaseLost = errors.New("lease lost")
	// ErrClosed: the Space was closed.
	ErrClosed = errors.New("hub connection is closed")
)

// JetStream error codes this package reacts to (nats-server 2.15,
// server/errors.json).
const (
	codeInsufficientResources = 10023
	codeAccountResources      = 10002
	codeStorageExceeded       = 10047
	codeMemoryExceeded        = 10028
	codeStoreFailed           = 10077
	codeStreamMessageTooLarge = 10054
	codeWrongLastSequence     = 10071
	codeWrongLastConstant     = 10164
	codeConsumerNotFound      = 10014
	codeConsumerExists        = 10148
	codeStreamNotFound        = 10059
	codeNoMessage             = 10037
	codeIncompleteBatch       = 10176
	codeBatchTooManyInflight  = 10210
	codeNotLeader             = 10009
	codeClusterNotAvailable   = 10008
	codeStreamOffline         = 10118
	codeNoPeers               = 10005
	codeNotEnabledForAccount  = 10039
	codeNotEnabled            = 10076
	codeTTLDisabled           = 10166
)

// classify turns a JetStream API error into the error of this package that
// callers can act on, keeping the server's words.
func classify(e *jetstream.APIError) error {
	if e == nil {
		return nil
	}
	switch e.ErrorCode {
	case codeInsufficientResources, codeAccountResources, codeStorageExceeded, codeMemoryExceeded:
		return fmt.Errorf("%w: %s (code %d)", ErrHubFull, e.Description, e.ErrorCode)
	case codeStoreFailed:
		// The server reports a refused write of a full stream as a failed store.
		if e.Description == "maximum bytes exceeded" || e.Description == "maximum messages exceeded" {
			return fmt.Errorf("%w: %s (code %d)", ErrHubFull, e.Description, e.ErrorCode)
		}
	case codeStreamMessageTooLarge:
		return fmt.Errorf("%w: %s", ErrTooLarge, e.Description)
	}
	return e
}

// transient reports whether a later try of the same request may succeed:
// leadership changes, a cluster that is not formed yet, a lost connection.
func transient(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		if full := classify(api); errors.Is(full, ErrHubFull) || errors.Is(full, ErrTooLarge) {
			return false // the server calls a full stream 503 as well
		}
		switch api.ErrorCode {
		case codeNotLeader, codeClusterNotAvailable, codeStreamOffline, codeNoPeers,
			codeIncompleteBatch, codeBatchTooManyInflight, codeNotEnabledForAccount, codeNotEnabled:
			return true
		}
		return api.Code == 503
	}
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, errAttemptTimeout) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionReconnecting) ||
		errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionClosed) ||
		errors.Is(err, nats.ErrStaleConnection) || errors.Is(err, nats.ErrNoServers)
}

// errAttemptTimeout marks the end of one attempt's time, as opposed to the end
// of the caller's context.
var errAttemptTimeout = errors.New("no answer from the hub in time")
