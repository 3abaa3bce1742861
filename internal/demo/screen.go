package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

const frameEvery = 100 * time.Millisecond

var (
	styleTitle  = lipgloss.NewStyle().Bold(true)
	styleGood   = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	styleBad    = lipgloss.NewStyle().Foreground(lipgloss.Color("1")).Bold(true)
	styleBusy   = lipgloss.NewStyle().Foreground(lipgloss.Color("3"))
	styleFaint  = lipgloss.NewStyle().Faint(true)
	styleHeader = lipgloss.NewStyle().Bold(true)

	spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
)

// onScreen tells the story on the terminal and leaves it as lines when the
// terminal is given back. Ctrl-C and q end it.
func onScreen(ctx context.Context, out io.Writer, tell func(context.Context, audience) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	program := tea.NewProgram(screen{began: began, now: began, told: make([]told, len(steps)), current: -1, interrupt: cancel},
		tea.WithOutput(out), tea.WithoutSignalHandler())
	told := make(chan error, 1)
	kept := &transcript{}
	go func() {
		err := tell(ctx, func(event any) {
			kept.keep(event)
			program.Send(event)
		})
		told <- err
		program.Quit()
	}()
	_, err := program.Run()
	cancel() // the terminal failed, or the story is over
	outcome := <-told
	kept.print(out)
	return errors.Join(outcome, err)
}

// told is what is known of a step.
type told struct {
	began    time.Time
	ended    *stepEnded
	measured []string
}

// screen is the model of the terminal view.
type screen struct {
	began, now time.Time
	told       []told
	current    int // index of the step under way; -1 before the first
	doing      string
	board      []string
	stayed     []string
	frame      int
	width      int
	height     int
	interrupt  func()
	leaving    bool
}

type frameTick time.Time

func nextFrame() tea.Cmd {
	return tea.Tick(frameEvery, func(t time.Time) tea.Msg { return frameTick(t) })
}

// Init starts the clock of the view.
func (m screen) Init() tea.Cmd { return nextFrame() }

// Update takes in the story's events, keys and the clock.
func (m screen) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch e := message.(type) {
	case frameTick:
		m.now = time.Time(e)
		m.frame++
		return m, nextFrame()
	case tea.WindowSizeMsg:
		m.width, m.height = e.Width, e.Height
	case tea.KeyPressMsg:
		switch e.String() {
		case "ctrl+c", "q":
			m.leaving = true
			m.interrupt()
		}
	case stepBegan:
		m.current, m.doing = e.index, ""
		m.told[e.index].began = time.Now()
	case progressed:
		m.doing = e.text
	case measured:
		at := &m.told[m.current]
		at.measured = append(at.measured, e.text)
	case stepEnded:
		m.told[e.index].ended = &e
		m.doing = ""
	case boardDrawn:
		m.board = e.lines
	case stayed:
		m.stayed = e.lines
	}
	return m, nil
}

// View draws the story above and the board below.
func (m screen) View() tea.View {
	view := tea.NewView(m.render())
	view.AltScreen = true
	view.WindowTitle = "Selaras"
	return view
}

func (m screen) render() string {
	if m.width == 0 || m.height == 0 {
		return ""
	}
	below := m.footer()
	room := m.height - len(below) - 2
	lines := []string{
		styleTitle.Render("Selaras: one catalog on three real shops") + styleFaint.Render("   "+seconds(m.now.Sub(m.began).Truncate(100*time.Millisecond))),
		"",
	}
	// Details of the steps longest ago go first when there is no room for all.
	body := m.steps(0)
	for from := 1; len(body) > room && from <= m.current; from++ {
		body = m.steps(from)
	}
	if len(body) > room && room > 0 {
		body = body[len(body)-room:]
	}
	lines = append(lines, body...)
	for len(lines)+len(below) < m.height {
		lines = append(lines, "")
	}
	lines = append(lines, below...)
	clip := lipgloss.NewStyle().MaxWidth(m.width)
	for i := range lines {
		lines[i] = clip.Render(lines[i])
	}
	return strings.Join(lines, "\n")
}

// steps draws every step, in detail from the one with the index on.
func (m screen) steps(detailed int) []string {
	var lines []string
	for i, step := range steps {
		at := m.told[i]
		number := fmt.Sprintf("%d  ", i+1)
		switch {
		case at.ended != nil && at.ended.err != nil:
			lines = append(lines, styleBad.Render("✗ "+number+step.title))
			lines = append(lines, styleBad.Render("     "+firstLine(at.ended.err.Error())))
		case at.ended != nil:
			lines = append(lines, styleGood.Render("✓ ")+number+step.title+styleGood.Render("  "+at.ended.headline))
		case i == m.current:
			lines = append(lines, styleBusy.Render(spinner[m.frame%len(spinner)]+" ")+number+styleTitle.Render(step.title)+
				styleFaint.Render("  "+seconds(m.now.Sub(at.began).Truncate(100*time.Millisecond))))
			lines = append(lines, styleFaint.Render("     "+step.why))
		default:
			lines = append(lines, styleFaint.Render("  "+number+step.title))
		}
		if i >= detailed {
			for _, text := range at.measured {
				lines = append(lines, "     "+text)
			}
		}
		if i == m.current && m.doing != "" {
			lines = append(lines, styleBusy.Render("     … "+m.doing))
		}
	}
	return lines
}

// footer draws what kubectl shows and what one can do.
func (m screen) footer() []string {
	var lines []string
	if len(m.board) > 0 {
		lines = append(lines, styleFaint.Render(strings.Repeat("─", m.width)), styleFaint.Render("$ kubectl get channels,catalogsyncs"))
		for _, row := range m.board {
			if strings.HasPrefix(row, "NAME ") {
				row = styleHeader.Render(row)
			}
			lines = append(lines, row)
		}
	}
	lines = append(lines, "")
	switch {
	case m.leaving:
		lines = append(lines, styleBusy.Render("ending …"))
	case len(m.stayed) > 0:
		for _, line := range m.stayed {
			lines = append(lines, styleGood.Render(line))
		}
	default:
		lines = append(lines, styleFaint.Render("Ctrl-C ends it and cleans up"))
	}
	return lines
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// transcript keeps the story for the terminal as it was before.
type transcript struct{ events []any }

func (t *transcript) keep(event any) {
	switch event.(type) {
	case stepBegan, measured, stepEnded:
		t.events = append(t.events, event)
	}
}

func (t *transcript) print(out io.Writer) {
	lines := printer(out)
	for _, event := range t.events {
		lines(event)
	}
}
