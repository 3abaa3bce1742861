package demo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

func after(t *testing.T, width, height int, events ...any) (screen, *int) {
	t.Helper()
	interrupts := new(int)
	began := time.Now()
	var model tea.Model = screen{began: began, now: began, told: make([]told, len(steps)), current: -1, interrupt: func() { *interrupts++ }}
	model, _ = model.Update(tea.WindowSizeMsg{Width: width, Height: height})
	for _, event := range events {
		model, _ = model.Update(event)
	}
	return model.(screen), interrupts
}

// The view fits the terminal, whatever its size, and always shows the step
// that is under way.
func TestScreenFits(t *testing.T) {
	t.Parallel()
	events := append([]any{}, tale[:6]...)
	for i := range 30 {
		events = append(events, measured{fmt.Sprintf("measurement %d with a long text that does not fit a narrow terminal at all", i)})
	}
	events = append(events, progressed{"doing this"})
	for _, size := range [][2]int{{150, 48}, {80, 24}, {40, 12}, {20, 5}, {1, 1}} {
		m, _ := after(t, size[0], size[1], events...)
		lines := strings.Split(m.render(), "\n")
		if size[1] >= 12 && len(lines) != size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if lipgloss.Width(line) > size[0] {
				t.Errorf("%v: a line is %d wide: %q", size, lipgloss.Width(line), line)
			}
		}
		if size[1] >= 24 && !strings.Contains(m.render(), "doing this") {
			t.Errorf("%v: what is being done is not shown:\n%s", size, m.render())
		}
	}
	m, _ := after(t, 0, 0)
	if m.render() != "" {
		t.Error("something is drawn before the terminal's size is known")
	}
}

// A step that failed and the board are shown; Ctrl-C ends it once more.
func TestScreenShowsFailureAndBoard(t *testing.T) {
	t.Parallel()
	events := append([]any{}, tale...)
	m, interrupts := after(t, 150, 48, append(events, tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})...)
	for _, want := range []string{"they answer", "webshop: 88 listings", "it broke", "kubectl get channels,catalogsyncs", "webshop   True", "ending"} {
		if !strings.Contains(m.render(), want) {
			t.Errorf("%q is missing in:\n%s", want, m.render())
		}
	}
	if *interrupts != 1 {
		t.Errorf("%d interrupts, want 1", *interrupts)
	}
}
