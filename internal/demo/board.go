package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

const boardEvery = 500 * time.Millisecond

// board asks the API for the tables that kubectl prints.
type board struct{ client rest.Interface }

func newBoard(config *rest.Config) (*board, error) {
	config = rest.CopyConfig(config)
	config.GroupVersion = &selarasv1alpha1.GroupVersion
	config.APIPath = "/apis"
	config.NegotiatedSerializer = serializer.WithoutConversionCodecFactory{CodecFactory: clientgoscheme.Codecs}
	config.Timeout = 5 * time.Second
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for tables: %w", err)
	}
	return &board{client}, nil
}

// lines are what `kubectl get channels,catalogsyncs` prints now.
func (b *board) lines(ctx context.Context) ([]string, error) {
	var lines []string
	for _, resource := range []string{"channels", "catalogsyncs"} {
		var table metav1.Table
		text, err := b.client.Get().Namespace(namespace).Resource(resource).
			SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx).Raw()
		if err != nil {
			return nil, fmt.Errorf("read the table of %s: %w", resource, err)
		}
		if err := decodeTable(text, &table); err != nil {
			return nil, fmt.Errorf("read the table of %s: %w", resource, err)
		}
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, format(&table)...)
	}
	return lines, nil
}

// format lines up the columns that kubectl shows without -o wide.
func format(table *metav1.Table) []string {
	var rows [][]string
	row := func(cell func(column int) string) {
		var cells []string
		for i, column := range table.ColumnDefinitions {
			if column.Priority == 0 {
				cells = append(cells, cell(i))
			}
		}
		rows = append(rows, cells)
	}
	row(func(i int) string { return strings.ToUpper(table.ColumnDefinitions[i].Name) })
	for _, r := range table.Rows {
		row(func(i int) string {
			if i >= len(r.Cells) || r.Cells[i] == nil {
				return ""
			}
			return fmt.Sprint(r.Cells[i])
		})
	}
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], len(cell))
		}
	}
	lines := make([]string, 0, len(rows))
	for _, cells := range rows {
		var line strings.Builder
		for i, cell := range cells {
			fmt.Fprintf(&line, "%-*s   ", widths[i], cell)
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return lines
}

// draw shows the board whenever it changes, until ctx ends.
func (b *board) draw(ctx context.Context, show audience) {
	tick := time.NewTicker(boardEvery)
	defer tick.Stop()
	var last string
	for {
		if lines, err := b.lines(ctx); err == nil {
			if now := strings.Join(lines, "\n"); now != last {
				last = now
				show(boardDrawn{lines})
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
