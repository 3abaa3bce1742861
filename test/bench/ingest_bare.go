package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const bareBatch = 500 // messages of an atomic batch, as ours

// bareServer starts a server with nothing of ours in it; always says that
// every write is synced.
func bareServer(dir string, always bool) (*server.Server, *nats.Conn, error) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, SyncAlways: always,
	})
	if err != nil {
		return nil, nil, err
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.Shutdown()
		return nil, nil, errors.New("the server takes no connections")
	}
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		s.Shutdown()
		return nil, nil, err
	}
	return s, nc, nil
}

// ingestBare is the program that ingestOurs is compared with: it publishes the
// same facts in the same batches, consumes them, and publishes the item of
// every fact, with a cursor and a compare-and-set on it, in batches of as many
// facts. It decodes nothing, decides nothing and keeps nothing.
func ingestBare(ctx context.Context, dir string, count int) (float64, error) {
	s, nc, err := bareServer(filepath.Join(dir, "hub"), true)
	if err != nil {
		return 0, err
	}
	defer func() { nc.Close(); s.Shutdown(); s.WaitForShutdown() }()
	js, err := jetstream.New(nc)
	if err != nil {
		return 0, err
	}
	facts, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "FACTS", Subjects: []string{"facts.>"}, Discard: jetstream.DiscardNew, MaxBytes: hubBytes, AllowAtomicPublish: true,
	})
	if err != nil {
		return 0, err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "CAT", Subjects: []string{"cat.>"}, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, MaxBytes: hubBytes, AllowDirect: true, AllowAtomicPublish: true,
	}); err != nil {
		return 0, err
	}
	type message struct {
		subject string
		data    []byte
	}
	stated, items := make([]message, count), make([]message, count)
	for i := range count {
		f := observed(i, 1000)
		stated[i] = message{"facts." + f.Channel + "." + f.Type, f.Data}
		items[i].subject, items[i].data = itemRecord(i, 1000)
	}
	consumer, err := facts.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return 0, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2 * bareBatch))
	if err != nil {
		return 0, err
	}
	defer messages.Stop()

	// A connection for each, as two processes have.
	stating, err := nats.Connect(s.ClientURL())
	if err != nil {
		return 0, err
	}
	defer stating.Close()
	failed := make(chan error, 1)
	began := time.Now()
	go func() {
		for from := 0; from < count; from += bareBatch {
			part := stated[from:min(from+bareBatch, count)]
			if _, err := publishBatch(stating, len(part), func(i int, m *nats.Msg) { m.Subject, m.Data = part[i].subject, part[i].data }); err != nil {
				failed <- fmt.Errorf("publish facts: %w", err)
				return
			}
		}
		failed <- nil
	}()
	var cursor uint64
	for from := 0; from < count; {
		n := min(bareBatch, count-from)
		for range n {
			if _, err := messages.Next(jetstream.NextMaxWait(30 * time.Second)); err != nil {
				return 0, fmt.Errorf("consume facts: %w", err)
			}
		}
		part := items[from : from+n]
		cursor, err = publishBatch(nc, n+1, func(i int, m *nats.Msg) {
			if i < n {
				m.Subject, m.Data = part[i].subject, part[i].data
				return
			}
			m.Subject, m.Data = "cat.cursor", fmt.Appendf(nil, `{"factSeq":%d,"epoch":1}`, from+n)
			m.Header["Nats-Expected-Last-Subject-Sequence"] = []string{strconv.FormatUint(cursor, 10)}
		})
		if err != nil {
			return 0, fmt.Errorf("publish items: %w", err)
		}
		from += n
	}
	took := time.Since(began)
	return float64(count) / took.Seconds(), <-failed
}

// publishBatch publishes an atomic batch and returns the place of its last
// message.
func publishBatch(nc *nats.Conn, n int, fill func(int, *nats.Msg)) (uint64, error) {
	id := nuid.Next()
	for i := range n {
		m := &nats.Msg{Header: nats.Header{"Nats-Batch-Id": {id}, "Nats-Batch-Sequence": {strconv.Itoa(i + 1)}}}
		fill(i, m)
		if i < n-1 {
			if err := nc.PublishMsg(m); err != nil {
				return 0, err
			}
			continue
		}
		m.Header["Nats-Batch-Commit"] = []string{"1"}
		answer, err := nc.RequestMsg(m, 30*time.Second)
		if err != nil {
			return 0, err
		}
		var ack struct {
			Error *jetstream.APIError `json:"error"`
			Seq   uint64              `json:"seq"`
		}
		if err := json.Unmarshal(answer.Data, &ack); err != nil {
			return 0, err
		}
		if ack.Error != nil {
			return 0, ack.Error
		}
		return ack.Seq, nil
	}
	return 0, errors.New("an empty batch")
}

// publishRaw publishes the facts one by one, without waiting between them, to
// a server with its own default: on disk after two minutes at the latest.
func publishRaw(ctx context.Context, dir string, count int) (float64, error) {
	s, nc, err := bareServer(filepath.Join(dir, "hub"), false)
	if err != nil {
		return 0, err
	}
	defer func() { nc.Close(); s.Shutdown(); s.WaitForShutdown() }()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2000))
	if err != nil {
		return 0, err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "FACTS", Subjects: []string{"facts.>"}}); err != nil {
		return 0, err
	}
	facts := make([]*nats.Msg, count)
	for i := range facts {
		f := observed(i, 1000)
		facts[i] = &nats.Msg{Subject: "facts." + f.Channel + "." + f.Type, Data: f.Data}
	}
	began := time.Now()
	for _, m := range facts {
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(30*time.Second)); err != nil {
			return 0, err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return float64(count) / time.Since(began).Seconds(), nil
}
