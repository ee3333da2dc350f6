//go:build real

// Package browsertest drives a real Chromium in tests. It promises that the
// browser speaks to the pages' server and to nobody else, and that whatever a
// page says to the browser's console is heard.
package browsertest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Browser is a Chromium that is told what to do over a pipe: no port, a profile
// of its own, and nobody to speak to but the pages' server.
type Browser struct {
	*testing.T
	to io.Writer

	mu      sync.Mutex
	asked   int
	answers map[int]chan message
	// said is what pages said to the browser's console, errors and exceptions
	// included; the browser's own advice on style is not.
	said []string
	// gone closes when the browser no longer speaks.
	gone chan struct{}
}

type message struct {
	ID        int             `json:"id"`
	SessionID string          `json:"sessionId"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	Result    json.RawMessage `json:"result"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Start starts a browser that ends with the test.
func Start(t *testing.T) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("this test needs Chromium on the path: install it, or leave the build tag real away: %v", err)
	}
	profile, err := os.MkdirTemp("", "console-browser-")
	if err != nil {
		t.Fatal(err)
	}
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirIn.Close()
	_ = theirOut.Close()
	b := &Browser{T: t, to: ourOut, answers: map[int]chan message{}, gone: make(chan struct{})}
	go b.listen(ourIn)
	t.Cleanup(func() {
		// A closed pipe ends the browser.
		_ = ourOut.Close()
		<-b.gone
		_ = cmd.Wait()
		_ = ourIn.Close()
		if err := os.RemoveAll(profile); err != nil {
			t.Logf("profile: %v", err)
		}
	})
	return b
}

func (b *Browser) listen(from io.Reader) {
	defer close(b.gone)
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			return
		}
		b.mu.Lock()
		switch {
		case m.ID != 0:
			b.answers[m.ID] <- m
		case m.Method == "Runtime.exceptionThrown", m.Method == "Runtime.consoleAPICalled", m.Method == "Log.entryAdded" && !bytes.Contains(m.Params, []byte(`"level":"verbose"`)):
			b.said = append(b.said, string(m.Params))
		}
		b.mu.Unlock()
	}
}

// ask sends one command and answers what came back.
func (b *Browser) ask(session, method string, params map[string]any, result any) {
	b.Helper()
	if err := b.try(session, method, params, result); err != nil {
		b.Fatal(err)
	}
}

// try is ask where a refusal is an answer as well.
func (b *Browser) try(session, method string, params map[string]any, result any) error {
	b.mu.Lock()
	b.asked++
	id, answer := b.asked, make(chan message, 1)
	b.answers[id] = answer
	b.mu.Unlock()
	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	if session != "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": session})
	}
	if err != nil {
		return err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				return fmt.Errorf("%s: %w", method, err)
			}
		}
	case <-b.gone:
		return fmt.Errorf("%s: the browser ended", method)
	case <-time.After(30 * time.Second):
		return fmt.Errorf("%s: no answer", method)
	}
	return nil
}

// Tab is one open page.
type Tab struct {
	*Browser
	target, session string
}

// Open opens a page and waits until it is there.
func (b *Browser) Open(address string) *Tab {
	b.Helper()
	var target struct{ TargetID string }
	b.ask("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.ask("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &Tab{Browser: b, target: target.TargetID, session: attached.SessionID}
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.ask(p.session, domain+".enable", nil, nil)
	}
	p.ask(p.session, "Page.navigate", map[string]any{"url": address}, nil)
	p.Until(`document.readyState === "complete" && location.href !== "about:blank"`)
	return p
}

// Close closes the page.
func (p *Tab) Close() {
	p.Helper()
	p.ask("", "Target.closeTarget", map[string]any{"targetId": p.target}, nil)
}

// Eval answers a script's value as text.
func (p *Tab) Eval(script string) string {
	p.Helper()
	value, err := p.value(script)
	if err != nil {
		p.Fatalf("%s: %v", script, err)
	}
	return value
}

func (p *Tab) value(script string) (string, error) {
	var got struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	if err := p.try(p.session, "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &got); err != nil {
		return "", err
	}
	if got.ExceptionDetails != nil {
		return "", errors.New(string(got.ExceptionDetails))
	}
	return fmt.Sprint(got.Result.Value), nil
}

// Click presses a button and does not wait for what follows: the page may go
// away over it.
func (p *Tab) Click(selector string) {
	p.Helper()
	p.Eval(`setTimeout(() => document.querySelector(` + strconv.Quote(selector) + `).click()); 0`)
}

// Until waits until a condition holds, over a change of page as well.
func (p *Tab) Until(condition string) {
	p.Helper()
	end := time.Now().Add(20 * time.Second)
	var last error
	for time.Now().Before(end) {
		// The wait is the browser's own: it looks each 20 ms for half a second.
		got, err := p.value(`new Promise((r) => { const end = performance.now() + 500;
			const look = () => (` + condition + `) ? r("yes") : performance.now() > end ? r("no") : setTimeout(look, 20); look(); })`)
		if got == "yes" {
			return
		}
		last = err
	}
	p.Fatalf("it never came to %s (%v): %s", condition, last, p.Eval("document.documentElement.outerHTML"))
}

// Look sets how the page is looked at.
func (p *Tab) Look(width int, scheme string) {
	p.Helper()
	p.ask(p.session, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	p.ask(p.session, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Picture takes the whole page.
func (p *Tab) Picture() []byte {
	p.Helper()
	var got struct{ Data string }
	p.ask(p.session, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &got)
	data, err := base64.StdEncoding.DecodeString(got.Data)
	if err != nil {
		p.Fatal(err)
	}
	return data
}

// Quiet fails on anything that a page said to the browser's console.
func (b *Browser) Quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.said {
		b.Errorf("the browser's console: %s", text)
	}
	b.said = nil
}

// Forget drops what the console said about an expected answer.
func (b *Browser) Forget(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var left []string
	for _, text := range b.said {
		if !strings.Contains(text, part) {
			left = append(left, text)
		}
	}
	b.said = left
}

// Drawn checks that a picture shows a page: more than a few colours.
func Drawn(t *testing.T, name string, picture []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	colours := map[[3]uint32]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 2 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 2 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r, g, b}] = true
		}
	}
	if len(colours) < 10 {
		t.Errorf("the picture of %s holds %d colours: nothing is drawn", name, len(colours))
	}
}
