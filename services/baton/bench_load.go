package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// benchSecret signs the load's webhooks.
const benchSecret = "a secret that only measurements use"

// benchHeader carries the signature of a webhook.
const benchHeader = "X-Signature-256"

// benchSerial makes every webhook another lead.
var benchSerial atomic.Int64

// webhook is a lead of usual size, about 600 bytes; each call makes another
// lead of another person, and all of them qualify by the starter agreement.
func webhook() []byte {
	n := benchSerial.Add(1)
	return fmt.Appendf(nil, `{"external_id":"bench-%[1]d","email":"clara.lindt.%[1]d@alpenwerk.example","phone":"+4930%08[1]d","first_name":"Clara","last_name":"Lindt",`+
		`"company":"Alpenwerk Maschinen GmbH","job_title":"Head of Operations","country":"DE","employees":"150","industry":"Maschinenbau",`+
		`"message":"We are looking for a supplier for our new plant and would like to see prices. Could somebody call us next week, best in the morning, about quantities and delivery?",`+
		`"utm_source":"google","utm_medium":"cpc","utm_campaign":"spring-launch","page":"https://www.acme.example/contact","form":"contact-sales-2",`+
		`"consent":"I agree that you call me about this."}`, n)
}

// poster is one connection to a door. It writes and reads HTTP by itself: on
// two cores, a client that costs as much as the server would hide half of what
// is measured.
type poster struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	addr string
	// refused counts answers that are not 200, by status.
	refused map[int]int
	// forever counts those of them with 429 or 503 that did not say when to come
	// again.
	forever int
}

func dialDoor(ctx context.Context, addr string) (*poster, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &poster{conn: conn, in: bufio.NewReaderSize(conn, 4096), addr: addr, refused: map[int]int{}}, nil
}

// errNotKept says that the door answered, and did not take the webhook.
var errNotKept = errors.New("not acknowledged")

// post sends one webhook and answers the submission's id as the door names it.
func (p *poster) post(body []byte) (submission string, err error) {
	mac := hmac.New(sha256.New, []byte(benchSecret))
	mac.Write(body)
	var sum [sha256.Size]byte
	p.out = append(p.out[:0], "POST /hooks/bench HTTP/1.1\r\nHost: "+p.addr+"\r\nContent-Type: application/json\r\n"+benchHeader+": sha256="...)
	p.out = hex.AppendEncode(p.out, mac.Sum(sum[:0]))
	p.out = append(p.out, "\r\nContent-Length: "...)
	p.out = strconv.AppendInt(p.out, int64(len(body)), 10)
	p.out = append(p.out, "\r\n\r\n"...)
	p.out = append(p.out, body...)
	if err := p.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return "", err
	}
	if _, err := p.conn.Write(p.out); err != nil {
		return "", err
	}
	return p.answer()
}

func (p *poster) answer() (submission string, err error) {
	line, err := p.in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	if len(line) < len("HTTP/1.1 200") {
		return "", fmt.Errorf("the door answered %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return "", fmt.Errorf("the door answered %q", line)
	}
	length, later := 0, false
	for {
		if line, err = p.in.ReadSlice('\n'); err != nil {
			return "", err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) {
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return "", err
			}
		case "Baton-Submission":
			submission = string(value)
		case "Retry-After":
			later = len(value) > 0
		}
	}
	if _, err := p.in.Discard(length); err != nil {
		return "", err
	}
	if status != 200 {
		p.refused[status]++
		if (status == 429 || status == 503) && !later {
			p.forever++
		}
		return "", errNotKept
	}
	return submission, nil
}

func (p *poster) close() { _ = p.conn.Close() }

// posters are connections, one for each worker of a load.
type posters []*poster

func dialAll(ctx context.Context, addr string, n int) (posters, error) {
	var ps posters
	for range n {
		p, err := dialDoor(ctx, addr)
		if err != nil {
			ps.close()
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func (ps posters) close() {
	for _, p := range ps {
		p.close()
	}
}

// send is one worker's part of a load.
func (ps posters) send(_ context.Context, worker int, _ time.Time) error {
	_, err := ps[worker].post(webhook())
	return err
}

// refused are the answers that were not 200, by status.
func (ps posters) refused() map[int]int {
	sum := map[int]int{}
	for _, p := range ps {
		for status, n := range p.refused {
			sum[status] += n
		}
	}
	return sum
}

// load is what one variant did in one round.
type load struct {
	done  int
	took  time.Duration
	cpu   time.Duration
	waits []time.Duration // sorted
}

func (l load) perSecond() float64 { return float64(l.done) / l.took.Seconds() }

// cpuEach is the processor time of this whole process for each, in us; whoever
// sends the load is part of it.
func (l load) cpuEach() float64 { return float64(l.cpu.Microseconds()) / float64(max(1, l.done)) }

// wait is a quantile of the waits in ms.
func (l load) wait(q float64) float64 {
	if len(l.waits) == 0 {
		return 0
	}
	return float64(l.waits[min(len(l.waits)-1, int(q*float64(len(l.waits))))].Nanoseconds()) / 1e6
}

// operation is done again and again by each worker of a load; began is from
// when its wait counts.
type operation func(ctx context.Context, worker int, began time.Time) error

// saturate lets workers do one after another without a pause. What ends within
// d is counted, after a fifth of d to warm up.
func saturate(ctx context.Context, workers int, d time.Duration, op operation) (load, error) {
	from := time.Now().Add(d / 5)
	to := from.Add(d)
	waits := make([][]time.Duration, workers)
	var l load
	err := each(workers, func(w int) error {
		for {
			began := time.Now()
			if ctx.Err() != nil || began.After(to) {
				return ctx.Err()
			}
			if err := op(ctx, w, began); err != nil {
				if !errors.Is(err, errNotKept) {
					return err
				}
				continue
			}
			if now := time.Now(); now.After(from) && now.Before(to) {
				waits[w] = append(waits[w], now.Sub(began))
			}
		}
	}, func() {
		pauseUntil(ctx, from)
		before := cpuTime()
		pauseUntil(ctx, to)
		l.cpu = cpuTime() - before
	})
	l.waits, l.took = slices.Concat(waits...), d
	slices.Sort(l.waits)
	l.done = len(l.waits)
	return l, err
}

// paced starts one every 1/rate seconds, whether or not the ones before have
// ended; the first tenth warms up and is left out. A wait counts from when the
// worker woke for it, or where it still had its hands full from when it was due.
func paced(ctx context.Context, workers, rate int, d time.Duration, op operation) (load, error) {
	n := int(float64(rate) * d.Seconds())
	warm := n / 10
	start := time.Now().Add(10 * time.Millisecond)
	every := time.Second / time.Duration(rate)
	waits := make([][]time.Duration, workers)
	before := cpuTime()
	err := each(workers, func(w int) error {
		for i := w; i < n+warm && ctx.Err() == nil; i += workers {
			began := start.Add(time.Duration(i) * every)
			if time.Now().Before(began) {
				pauseUntil(ctx, began)
				began = time.Now()
			}
			if err := op(ctx, w, began); err != nil {
				if !errors.Is(err, errNotKept) {
					return err
				}
				continue
			}
			if i >= warm {
				waits[w] = append(waits[w], time.Since(began))
			}
		}
		return ctx.Err()
	}, nil)
	l := load{took: time.Since(start), cpu: cpuTime() - before, waits: slices.Concat(waits...)}
	slices.Sort(l.waits)
	l.done = len(l.waits)
	return l, err
}

// each runs one goroutine a worker, beside them meanwhile, and answers the
// first error.
func each(workers int, work func(w int) error, meanwhile func()) error {
	var group sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		group.Go(func() { errs[w] = work(w) })
	}
	if meanwhile != nil {
		meanwhile()
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func pauseUntil(ctx context.Context, t time.Time) {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
