package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progressBar shows how far a file is, to somebody who looks; nothing to a pipe.
type progressBar struct {
	w     io.Writer // nil = nobody looks
	total int64
	shown time.Time
}

func newProgressBar(w io.Writer, total int64) *progressBar {
	if !isTerminal(w) || total <= 0 {
		return &progressBar{}
	}
	return &progressBar{w: w, total: total}
}

// show draws the bar anew, ten times a second at most.
func (b *progressBar) show(done, rows int64) {
	if b.w == nil || time.Since(b.shown) < 100*time.Millisecond {
		return
	}
	b.shown = time.Now()
	const width = 30
	full := int(min(done, b.total) * width / b.total)
	fmt.Fprintf(b.w, "\r\x1b[K[%s%s] %3d %%  %s", strings.Repeat("=", full), strings.Repeat(" ", width-full), min(done, b.total)*100/b.total, counted(rows, "row", "rows"))
}

// clear takes the bar away.
func (b *progressBar) clear() {
	if b.w != nil && !b.shown.IsZero() {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
