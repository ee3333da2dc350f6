package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progressBar shows how far a file is, to somebody who looks; nothing to a pipe.
type progressBar struct {
	w            io.Writer // nil = nobody looks
	total        int64
	began, shown time.Time
}

func newProgressBar(w io.Writer, total int64) *progressBar {
	if !isTerminal(w) || total <= 0 {
		return &progressBar{}
	}
	return &progressBar{w: w, total: total, began: time.Now()}
}

// show draws the bar anew, ten times a second at most.
func (b *progressBar) show(done, rows int64) {
	if b.w == nil || time.Since(b.shown) < 100*time.Millisecond {
		return
	}
	b.shown = time.Now()
	fmt.Fprint(b.w, "\r\x1b[K"+progressLine(done, b.total, rows, time.Since(b.began)))
}

// progressLine says how much of a file is done, how fast it goes, and how long
// the rest will take.
func progressLine(done, total, rows int64, took time.Duration) string {
	const width = 30
	done = min(done, total)
	full := int(done * width / total)
	line := fmt.Sprintf("[%s%s] %3d %%  %s", strings.Repeat("=", full), strings.Repeat(" ", width-full), done*100/total, counted(rows, "row", "rows"))
	if took < time.Second || done == 0 {
		return line
	}
	line += fmt.Sprintf("  %s/s", grouped(int64(float64(rows)/took.Seconds())))
	if done < total {
		left := time.Duration(float64(took) / float64(done) * float64(total-done))
		line += "  " + left.Round(time.Second).String() + " left"
	}
	return line
}

// clear takes the bar away.
func (b *progressBar) clear() {
	if b.w != nil && !b.shown.IsZero() {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
