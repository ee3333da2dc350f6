package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Metrics are the figures of a process. A nil *Metrics counts nothing, so who
// counts need not ask whether anybody listens.
type Metrics struct {
	deliveries, events, conflicts, deadLetters, notices, limits *counter
	doorAck, assigned                                           metric.Float64Histogram

	mu       sync.Mutex
	next     int
	lags     map[int]lag
	oldest   map[int]func() (time.Duration, bool)
	waiting  map[int]func() time.Duration
	readOnly map[int]func() bool
}

type lag struct {
	option metric.ObserveOption
	read   func() int64
}

func newMetrics(m metric.Meter) (*Metrics, error) {
	out := &Metrics{lags: map[int]lag{}, oldest: map[int]func() (time.Duration, bool){}, waiting: map[int]func() time.Duration{}, readOnly: map[int]func() bool{}}
	var errs [12]error
	out.deliveries, errs[0] = newCounter(m, metricDeliveries, "Deliveries at the door, by outcome.", labelOutcome)
	out.events, errs[1] = newCounter(m, metricEvents, "Events written to the log, by type.", labelType)
	out.conflicts, errs[2] = newCounter(m, metricConflicts, "Writes refused because somebody was faster, by service.", labelService)
	out.deadLetters, errs[3] = newCounter(m, metricDeadLetters, "Things set aside because they could not be handled, by service and fault.", labelService, labelFault)
	out.doorAck, errs[4] = m.Float64Histogram(metricDoorAck, metric.WithUnit("s"),
		metric.WithDescription("From the request at the door to its acknowledgement, synced."),
		metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10))
	out.assigned, errs[5] = m.Float64Histogram(metricAssigned, metric.WithUnit("s"),
		metric.WithDescription("From a lead's receipt to its first assignment."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 300, 900, 3600, 14400, 86400, 604800))
	_, errs[6] = m.Int64ObservableGauge(metricLag, metric.WithDescription("Messages that a consumer has not worked yet."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for _, l := range collect(&out.mu, out.lags) {
				o.Observe(l.read(), l.option)
			}
			return nil
		}))
	_, errs[7] = m.Float64ObservableGauge(metricOldest, metric.WithUnit("s"), metric.WithDescription("Age of the oldest delivery that is not worked yet; 0 = none."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			for _, read := range collect(&out.mu, out.oldest) {
				if age, known := read(); known {
					o.Observe(age.Seconds())
				}
			}
			return nil
		}))
	_, errs[8] = m.Int64ObservableGauge(metricReadOnly, metric.WithDescription("1 while the process refuses to write, because the log is not what it was."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for _, read := range collect(&out.mu, out.readOnly) {
				if read() {
					o.Observe(1)
				} else {
					o.Observe(0)
				}
			}
			return nil
		}))
	out.notices, errs[9] = newCounter(m, metricNotices, "Attempts to tell somebody, by kind of channel and what came of them.", labelChannel, labelResult)
	_, errs[10] = m.Float64ObservableGauge(metricNoticeAge, metric.WithUnit("s"), metric.WithDescription("Age of the oldest notice that has not arrived and is not given up; 0 = none."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			for _, read := range collect(&out.mu, out.waiting) {
				o.Observe(read().Seconds())
			}
			return nil
		}))
	out.limits, errs[11] = newCounter(m, metricLimits, "Deliveries let in because nobody could say whether their source's limit is reached.")
	return out, errors.Join(errs[:]...)
}

// Delivery counts one delivery at the door by what became of it there.
func (m *Metrics) Delivery(outcome string) {
	if m != nil {
		m.deliveries.add(1, outcome, "")
	}
}

// EventsWritten counts events of one type, such as baton.lead.v1.LeadOffered.
func (m *Metrics) EventsWritten(eventType string, n int) {
	if m != nil {
		m.events.add(int64(n), eventType, "")
	}
}

// Conflict counts a write that was refused because somebody was faster.
func (m *Metrics) Conflict(service string) {
	if m != nil {
		m.conflicts.add(1, service, "")
	}
}

// DeadLetter counts something that was set aside, with the kind of its fault.
func (m *Metrics) DeadLetter(service, fault string) {
	if m != nil {
		m.deadLetters.add(1, service, fault)
	}
}

// LimitUnknown counts a delivery that was let in because nobody could say whether
// its source's limit is reached.
func (m *Metrics) LimitUnknown() {
	if m != nil {
		m.limits.add(1, "", "")
	}
}

// DoorAck takes how long a delivery waited for its acknowledgement.
func (m *Metrics) DoorAck(d time.Duration) {
	if m != nil {
		m.doorAck.Record(context.Background(), d.Seconds())
	}
}

// Assigned takes how long a lead took from its receipt to its first assignment.
func (m *Metrics) Assigned(d time.Duration) {
	if m != nil {
		m.assigned.Record(context.Background(), d.Seconds())
	}
}

// OnConsumerLag shows what a consumer has not worked yet. read is asked when
// somebody looks, and must be quick; stop ends it.
func (m *Metrics) OnConsumerLag(stream, consumer string, read func() int64) (stop func()) {
	if m == nil {
		return func() {}
	}
	return watch(m, m.lags, lag{
		option: metric.WithAttributeSet(attribute.NewSet(labelStream.String(word(stream)), labelConsumer.String(word(consumer)))),
		read:   read,
	})
}

// OnOldestUnworked shows the age of the oldest delivery that is not worked yet;
// false = not known now.
func (m *Metrics) OnOldestUnworked(read func() (time.Duration, bool)) (stop func()) {
	if m == nil {
		return func() {}
	}
	return watch(m, m.oldest, read)
}

// Notice counts one attempt to tell somebody.
func (m *Metrics) Notice(channel, result string) {
	if m != nil {
		m.notices.add(1, channel, result)
	}
}

// OnOldestNotice shows the age of the oldest notice that waits; 0 = none does.
func (m *Metrics) OnOldestNotice(read func() time.Duration) (stop func()) {
	if m == nil {
		return func() {}
	}
	return watch(m, m.waiting, read)
}

// OnReadOnly shows whether the process refuses to write.
func (m *Metrics) OnReadOnly(read func() bool) (stop func()) {
	if m == nil {
		return func() {}
	}
	return watch(m, m.readOnly, read)
}

func watch[T any](m *Metrics, into map[int]T, what T) (stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.next
	m.next++
	into[id] = what
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(into, id)
	}
}

// collect copies what is watched, so that it is read without the lock.
func collect[T any](mu *sync.Mutex, from map[int]T) []T {
	mu.Lock()
	defer mu.Unlock()
	out := make([]T, 0, len(from))
	for _, v := range from {
		out = append(out, v)
	}
	return out
}

// maxSeries bounds the series of one counter; what comes later is counted as
// other.
const maxSeries = 100

const other = "other"

// word lets a label be a word: what does not look like one is other, so that
// nothing from outside becomes a label.
func word(s string) string {
	if s == "" || len(s) > 80 {
		return other
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return other
		}
	}
	return s
}

// counter counts under at most two labels.
type counter struct {
	to   metric.Int64Counter
	keys []attribute.Key

	mu     sync.RWMutex
	series map[[2]string]metric.AddOption
}

func newCounter(m metric.Meter, name, description string, keys ...attribute.Key) (*counter, error) {
	to, err := m.Int64Counter(name, metric.WithDescription(description))
	return &counter{to: to, keys: keys, series: map[[2]string]metric.AddOption{}}, err
}

func (c *counter) add(n int64, a, b string) {
	c.to.Add(context.Background(), n, c.option([2]string{a, b}))
}

// option answers the labels, made once for each series.
func (c *counter) option(labels [2]string) metric.AddOption {
	c.mu.RLock()
	o, ok := c.series[labels]
	c.mu.RUnlock()
	if ok {
		return o
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	full := len(c.series) >= maxSeries
	kvs := make([]attribute.KeyValue, len(c.keys))
	for i, k := range c.keys {
		if full {
			kvs[i] = k.String(other)
		} else {
			kvs[i] = k.String(word(labels[i]))
		}
	}
	o = metric.WithAttributeSet(attribute.NewSet(kvs...))
	if !full {
		c.series[labels] = o
	}
	return o
}
