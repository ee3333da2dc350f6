package delivery

import "container/heap"

// line is a channel's notices that wait, the one that is due first in front; of those
// that are due together the one that was queued first.
type line struct {
	list  []*Notice
	index map[*Notice]int
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (l *line) Len() int { return len(l.list) }

// Less says who is due first.
func (l *line) Less(i, j int) bool {
	a, b := l.list[i], l.list[j]
	if !a.Due.Equal(b.Due) {
		return a.Due.Before(b.Due)
	}
	if a.seq != b.seq {
		return a.seq < b.seq
	}
	return a.ID < b.ID
}

// Swap changes two places.
func (l *line) Swap(i, j int) {
	l.list[i], l.list[j] = l.list[j], l.list[i]
	l.index[l.list[i]], l.index[l.list[j]] = i, j
}

// Push is for package heap.
func (l *line) Push(x any) {
	n := x.(*Notice)
	l.index[n] = len(l.list)
	l.list = append(l.list, n)
}

// Pop is for package heap.
func (l *line) Pop() any {
	last := l.list[len(l.list)-1]
	l.list[len(l.list)-1] = nil
	l.list = l.list[:len(l.list)-1]
	delete(l.index, last)
	return last
}

func (l *line) push(n *Notice) {
	if l.index == nil {
		l.index = map[*Notice]int{}
	}
	heap.Push(l, n)
}

func (l *line) remove(n *Notice) {
	if i, ok := l.index[n]; ok {
		heap.Remove(l, i)
	}
}

// first calls fn for the notices in the order in which they are due, until it answers
// false. It costs no more than what fn sees.
func (l *line) first(fn func(*Notice) bool) {
	if len(l.list) == 0 {
		return
	}
	// The heap's own front, unfolded: next holds places whose parents were seen.
	next := &places{line: l, at: []int{0}}
	for len(next.at) > 0 {
		i := heap.Pop(next).(int)
		if !fn(l.list[i]) {
			return
		}
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < len(l.list) {
				heap.Push(next, child)
			}
		}
	}
}

// places are places of a line, by who is due first.
type places struct {
	line *line
	at   []int
}

func (p *places) Len() int           { return len(p.at) }
func (p *places) Less(i, j int) bool { return p.line.Less(p.at[i], p.at[j]) }
func (p *places) Swap(i, j int)      { p.at[i], p.at[j] = p.at[j], p.at[i] }
func (p *places) Push(x any)         { p.at = append(p.at, x.(int)) }
func (p *places) Pop() any {
	last := p.at[len(p.at)-1]
	p.at = p.at[:len(p.at)-1]
	return last
}
