package score

import "testing"

func BenchmarkTrain(b *testing.B) {
	leads, _ := invent(100_000, 1, known)
	for b.Loop() {
		trained(b, leads, Options{})
	}
}

func BenchmarkExplain(b *testing.B) {
	leads, _ := invent(2000, 1, known)
	m := NewModel(trained(b, leads, Options{}))
	b.ReportAllocs()
	for b.Loop() {
		m.Explain(leads[7].Features)
	}
}
