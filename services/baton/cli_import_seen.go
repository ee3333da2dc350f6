package main

import "hash/maphash"

// seenBits is the size of the memory of keys: 16 MiB, whatever the file holds.
const seenBits = 1 << 27

// seenMarks is how many bits mark a key. Of a million keys that were never seen
// one in twenty million is taken for one that was; of ten million, one in five
// hundred.
const seenMarks = 7

// seenKeys remembers keys in constant memory. What it says is counted, and
// nothing is left out by it.
type seenKeys struct {
	seed maphash.Seed
	bits []uint64
}

func newSeenKeys() *seenKeys { return &seenKeys{seed: maphash.MakeSeed()} }

// add says whether a key was there before.
func (s *seenKeys) add(key string) (before bool) {
	if s.bits == nil {
		s.bits = make([]uint64, seenBits/64)
	}
	sum := maphash.String(s.seed, key)
	a, b := sum, sum>>32|1
	before = true
	for i := range uint64(seenMarks) {
		at := (a + i*b + i*i) % seenBits
		word, bit := at/64, uint64(1)<<(at%64)
		before = before && s.bits[word]&bit != 0
		s.bits[word] |= bit
	}
	return before
}
