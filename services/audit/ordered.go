package audit

import (
	"runtime"
	"sync"
)

// ahead is how many pieces of work may be under way, or done before their turn,
// for each processor.
const ahead = 256

// ordered does work on all processors and what follows from it one after the
// other, in the order in which the work was put: hashes and signatures of records
// do not depend on each other, the fold does.
type ordered struct {
	work, turn chan *piece
	ended      sync.WaitGroup
}

type piece struct {
	work func() (then func())
	then func()
	done chan struct{}
}

func newOrdered() *ordered {
	n := runtime.GOMAXPROCS(0)
	o := &ordered{work: make(chan *piece, n*ahead), turn: make(chan *piece, n*ahead)}
	for range n {
		o.ended.Go(func() {
			for p := range o.work {
				p.then = p.work()
				close(p.done)
			}
		})
	}
	o.ended.Go(func() {
		for p := range o.turn {
			<-p.done
			p.then()
		}
	})
	return o
}

// put hands in a piece of work; what it answers is called in its turn.
func (o *ordered) put(work func() (then func())) {
	p := &piece{work: work, done: make(chan struct{})}
	o.turn <- p
	o.work <- p
}

// close returns once everything that was put has had its turn.
func (o *ordered) close() {
	close(o.work)
	close(o.turn)
	o.ended.Wait()
}
