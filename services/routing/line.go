package routing

import (
	"slices"
	"sort"
)

// A line is the seats of one weight in the order in which they are served. It is held in
// blocks that are never changed in place: copies share them, and who is served moves by
// two blocks, however long the line is.

// blockSize is how many seats a block begins with; with twice as many it is two.
const blockSize = 128

type line struct {
	weight int64
	blocks [][]int32
}

func newLine(weight int64, places []int32) line {
	return line{weight, slices.Collect(slices.Chunk(places, blockSize))}
}

// find answers the block and the place in it of the first seat that does not come before
// what is looked for; the end of the last block where all do.
func (l *line) find(before func(place int32) bool) (block, at int) {
	block = sort.Search(len(l.blocks), func(i int) bool { return !before(l.blocks[i][len(l.blocks[i])-1]) })
	if block == len(l.blocks) {
		if block == 0 {
			return 0, 0
		}
		return block - 1, len(l.blocks[block-1])
	}
	return block, sort.Search(len(l.blocks[block]), func(i int) bool { return !before(l.blocks[block][i]) })
}

// first answers those who are served first, so many at most.
func (l *line) first(most int) []int32 {
	var out []int32
	for _, b := range l.blocks {
		if out = append(out, b[:min(len(b), most-len(out))]...); len(out) == most {
			break
		}
	}
	return out
}

// remove takes out who stands there.
func (l *line) remove(block, at int) {
	b := l.blocks[block]
	if len(b) == 1 {
		l.blocks = slices.Delete(l.blocks, block, block+1)
		return
	}
	l.blocks[block] = slices.Concat(b[:at], b[at+1:])
}

// insert puts a seat there.
func (l *line) insert(block, at int, place int32) {
	if len(l.blocks) == 0 {
		l.blocks = append(l.blocks, []int32{place})
		return
	}
	b := slices.Concat(l.blocks[block][:at], []int32{place}, l.blocks[block][at:])
	if len(b) < 2*blockSize {
		l.blocks[block] = b
		return
	}
	l.blocks = slices.Replace(l.blocks, block, block+1, b[:blockSize:blockSize], b[blockSize:])
}

// tally is how many leads each seat got, in blocks of the same kind; nil = none of them
// got any.
type tally []*[tallied]int32

const tallied = 64

func newTally(seats int) tally { return make(tally, (seats+tallied-1)/tallied) }

func (t tally) of(place int) int32 {
	if b := t[place/tallied]; b != nil {
		return b[place%tallied]
	}
	return 0
}

func (t tally) add(place int) {
	var b [tallied]int32
	if old := t[place/tallied]; old != nil {
		b = *old
	}
	b[place%tallied]++
	t[place/tallied] = &b
}
