package hub

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	pullBatch     = 500
	pullExpires   = 20 * time.Second
	pullHeartbeat = 2 * time.Second
	// silence is how long a consumer may be quiet before it is made anew.
	silence = 2*pullHeartbeat + time.Second
	// inactive is when the server forgets a consumer that nobody asks.
	inactive = 5 * time.Minute
)

// message is one stored message as a consumer delivered it.
type message struct {
	subject string
	header  nats.Header
	data    []byte
	seq     uint64
	time    time.Time
	pending uint64 // messages of the filter after this one
}

// consumeSpec says what to read of which stream.
type consumeSpec struct {
	stream  string
	filters []string
	purpose string // part of the consumer's name
	after   uint64 // last sequence already seen
	rewind  bool   // read from the start again after every interruption
	// check runs before every (re)start at the position reached; its error
	// ends the reading unless it is transient.
	check func(ctx context.Context, after uint64) error
}

// callbackError carries an error of the caller's function through the retries.
type callbackError struct{ err error }

func (e callbackError) Error() string { return e.err.Error() }

// consume reads a stream in order from spec.after and calls emit with what is
// there, at most MaxBatch messages at a time, until ctx ends or emit or the
// check fails. It holds one short-lived consumer that is made anew at the
// position reached whenever the connection, the consumer or its server is
// lost. caught is true once, with the batch (perhaps an empty one) that ends
// the backlog found at the start.
func (s *Space) consume(ctx context.Context, spec consumeSpec, emit func(batch []message, caught bool) error) error {
	var b backoff
	r := &consumption{s: s, spec: spec, last: spec.after, emit: emit}
	for {
		before := r.last
		err := r.run(ctx)
		var cb callbackError
		switch {
		case errors.As(err, &cb):
			return cb.err
		case ctx.Err() != nil:
			return ctx.Err()
		case s.isClosed():
			return ErrClosed
		case !transient(err) && !errors.Is(err, errConsumerLost):
			return fmt.Errorf("cannot read %s: %w", spec.stream, err)
		}
		if r.last != before {
			b.reset()
		}
		s.log.Debug("hub consumer starts again", "stream", spec.stream, "after", r.last, "reason", err)
		if err := s.pause(ctx, &b); err != nil {
			return err
		}
	}
}

// errConsumerLost: the consumer must be made anew.
var errConsumerLost = errors.New("consumer lost")

type consumption struct {
	s      *Space
	spec   consumeSpec
	last   uint64
	caught bool
	emit   func([]message, bool) error
	batch  []message
}

// consumerConfig is the subset of the server's configuration in use.
type consumerConfig struct {
	Name              string        `json:"name"`
	DeliverPolicy     string        `json:"deliver_policy"`
	OptStartSeq       uint64        `json:"opt_start_seq,omitempty"`
	AckPolicy         string        `json:"ack_policy"`
	ReplayPolicy      string        `json:"replay_policy"`
	FilterSubject     string        `json:"filter_subject,omitempty"`
	FilterSubjects    []string      `json:"filter_subjects,omitempty"`
	MaxWaiting        int           `json:"max_waiting,omitempty"`
	InactiveThreshold time.Duration `json:"inactive_threshold"`
	Replicas          int           `json:"num_replicas"`
	MemoryStorage     bool          `json:"mem_storage"`
}

// consumerName is fixed for a connector, whose permissions name it, and unique
// for everybody else.
func (s *Space) consumerName(purpose string, filters []string) string {
	if s.fixed {
		return fixedConsumerName(s.user, purpose, filters)
	}
	return purpose + "-" + nuid.Next()
}

func fixedConsumerName(user, purpose string, filters []string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.Join(filters, " "))) // never fails
	return user + "-" + purpose + "-" + strconv.FormatUint(uint64(h.Sum32()), 36)
}

func (r *consumption) run(ctx context.Context) error {
	s := r.s
	if err := s.WaitConnected(ctx); err != nil {
		return err
	}
	up := s.upSignal()
	if r.spec.rewind {
		r.last = 0
	}
	if r.spec.check != nil {
		if err := r.spec.check(ctx, r.last); err != nil {
			return err
		}
	}
	inbox := s.nc.NewInbox()
	// Room for everything that can be outstanding, so that nothing is dropped.
	ch := make(chan *nats.Msg, 4*pullBatch)
	sub, err := s.nc.ChanSubscribe(inbox, ch)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is gone
	name, pending, err := r.create(ctx)
	if err != nil {
		return err
	}
	defer r.remove(ctx, name)
	if pending == 0 && !r.caught {
		r.caught = true
		if err := r.emit(nil, true); err != nil {
			return callbackError{err}
		}
	}
	return r.pull(ctx, name, inbox, ch, up)
}

func (r *consumption) create(ctx context.Context) (name string, pending uint64, err error) {
	spec := r.spec
	name = r.s.consumerName(spec.purpose, spec.filters)
	if r.s.fixed {
		// A predecessor's consumer has another position.
		if err := r.s.call(ctx, "CONSUMER.DELETE."+spec.stream+"."+name, nil, nil); err != nil && !isCode(err, codeConsumerNotFound) {
			return "", 0, err
		}
	}
	cfg := consumerConfig{
		Name: name, DeliverPolicy: "by_start_sequence", OptStartSeq: r.last + 1,
		AckPolicy: "none", ReplayPolicy: "instant", MaxWaiting: 8,
		InactiveThreshold: inactive, Replicas: 1, MemoryStorage: true,
	}
	subject := "CONSUMER.CREATE." + spec.stream + "." + name
	switch len(spec.filters) {
	case 0:
	case 1:
		cfg.FilterSubject = spec.filters[0]
		subject += "." + spec.filters[0]
	default:
		cfg.FilterSubjects = spec.filters
	}
	var info struct {
		NumPending uint64 `json:"num_pending"`
	}
	req := struct {
		Stream string         `json:"stream_name"`
		Config consumerConfig `json:"config"`
		Action string         `json:"action"`
	}{spec.stream, cfg, "create"}
	if err := r.s.call(ctx, subject, req, &info); err != nil {
		if isCode(err, codeConsumerExists) {
			return "", 0, errConsumerLost
		}
		return "", 0, err
	}
	return name, info.NumPending, nil
}

// remove frees the consumer at once instead of after the inactive threshold.
// A failure is of no consequence: the threshold does the same later.
func (r *consumption) remove(ctx context.Context, name string) {
	if !r.s.Connected() {
		return
	}
	m := &nats.Msg{Subject: apiPrefix + "CONSUMER.DELETE." + r.spec.stream + "." + name}
	if err := r.s.nc.PublishMsg(m); err != nil {
		r.s.log.DebugContext(ctx, "hub consumer was not removed", "consumer", name, "error", err)
	}
}

// pull asks for messages ahead of need and hands on what has arrived.
func (r *consumption) pull(ctx context.Context, name, inbox string, ch <-chan *nats.Msg, up <-chan struct{}) error {
	next := apiPrefix + "CONSUMER.MSG.NEXT." + r.spec.stream + "." + name
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d}`,
		pullBatch, pullExpires.Nanoseconds(), pullHeartbeat.Nanoseconds())
	denied, stop := r.s.denied.watch(next)
	defer stop()
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	var delivered uint64
	outstanding := 0
	for {
		for outstanding <= pullBatch {
			if err := r.s.nc.PublishMsg(&nats.Msg{Subject: next, Reply: inbox, Data: body}); err != nil {
				return err
			}
			outstanding += pullBatch
		}
		var m *nats.Msg
		select {
		case m = <-ch:
		default:
			quiet.Reset(silence)
			select {
			case m = <-ch:
			case <-ctx.Done():
				return ctx.Err()
			case <-r.s.closed:
				return ErrClosed
			case err := <-denied:
				return err
			case <-up:
				return fmt.Errorf("%w: the connection was lost", errConsumerLost)
			case <-quiet.C:
				return fmt.Errorf("%w: no sign of it for %s", errConsumerLost, silence)
			}
		}
		r.batch = r.batch[:0]
		var failed error
		for m != nil {
			if len(m.Data) == 0 && m.Header[hdrStatus] != nil {
				n, err := statusOf(m)
				outstanding = max(0, outstanding-n)
				if err != nil {
					failed = err
					break
				}
			} else {
				outstanding--
				msg, dseq, err := parseDelivery(m)
				if err != nil {
					return err
				}
				if delivered++; dseq != delivered {
					failed = fmt.Errorf("%w: delivery %d came instead of %d", errConsumerLost, dseq, delivered)
					break
				}
				r.batch = append(r.batch, msg)
			}
			m = nil
			if len(r.batch) < MaxBatch {
				select {
				case m = <-ch:
				default:
				}
			}
		}
		if err := r.hand(); err != nil {
			return err
		}
		if failed != nil {
			return failed
		}
	}
}

func (r *consumption) hand() error {
	if len(r.batch) == 0 {
		return nil
	}
	end := r.batch[len(r.batch)-1]
	now := !r.caught && end.pending == 0
	if err := r.emit(r.batch, now); err != nil {
		return callbackError{err}
	}
	r.caught = r.caught || now
	r.last = end.seq
	return nil
}

// statusOf reads a message of the server about a pull request: how many
// messages that request will not bring any more, and whether the consumer is
// of no more use.
func statusOf(m *nats.Msg) (int, error) {
	left, _ := strconv.Atoi(m.Header.Get(hdrPendingMessage)) // absent is none
	status, what := m.Header.Get(hdrStatus), m.Header.Get(hdrDescription)
	switch status {
	case "100": // heartbeat
		return 0, nil
	case "404", "408":
		return left, nil
	case "409":
		if strings.EqualFold(what, "Batch Completed") {
			return left, nil
		}
	}
	return left, fmt.Errorf("%w: %s %s", errConsumerLost, status, what)
}

// parseDelivery reads the reply subject of a delivered message:
// $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<count>.<sseq>.<dseq>.<time>.<pending>[.<random>]
func parseDelivery(m *nats.Msg) (message, uint64, error) {
	rest, ok := strings.CutPrefix(m.Reply, "$JS.ACK.")
	skip := 3 // stream, consumer, count
	if n := strings.Count(rest, "."); n >= 8 {
		skip = 5
	} else if n < 6 {
		ok = false
	}
	for ; ok && skip > 0; skip-- {
		_, rest, ok = strings.Cut(rest, ".")
	}
	var f [4]uint64
	for i := range f {
		if !ok {
			break
		}
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		v, err := strconv.ParseUint(token, 10, 64)
		if err != nil {
			ok = false
		}
		f[i] = v
	}
	if !ok {
		return message{}, 0, fmt.Errorf("%w: unreadable delivery %q", errConsumerLost, m.Reply)
	}
	return message{
		subject: m.Subject, header: m.Header, data: m.Data,
		seq: f[0], time: time.Unix(0, int64(f[2])), pending: f[3],
	}, f[1], nil
}

func isCode(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}
