package worker_test

import (
	"context"
	"sync"
	"testing"

	"tracewright/go-service/faults"
	"tracewright/go-service/gateway"
	"tracewright/go-service/internal/recording"
	"tracewright/go-service/worker"
)

// shortQueue delivers its events one by one, then closes empty.
type shortQueue struct {
	events []gateway.UsageEvent // used by the worker's goroutine alone
	empty  chan struct{}
}

type counted struct{ event gateway.UsageEvent }

func (q *shortQueue) Receive(context.Context) (gateway.Delivery, error) {
	if len(q.events) == 0 {
		close(q.empty)
		return nil, nil
	}
	event := q.events[0]
	q.events = q.events[1:]
	return counted{event}, nil
}

func (c counted) Event() gateway.UsageEvent  { return c.event }
func (counted) Charge(context.Context) error { return nil }
func (counted) Ack(context.Context) error    { return nil }
func (counted) Release(context.Context)      {}

func TestLinkIsMissingForWhomTheFaultIsOn(t *testing.T) {
	const producer = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	recorded := recording.NewWith(t, faults.LinkMissing)
	queue := &shortQueue{empty: make(chan struct{}), events: []gateway.UsageEvent{
		{ID: 1, Tenant: "acme", Traceparent: producer, Baggage: "test.id=broken"},
		{ID: 2, Tenant: "acme", Traceparent: producer, Baggage: "test.id=whole"},
	}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { worker.New(queue, noNotifier{}, recorded.Telemetry).Run(ctx) })
	<-queue.empty
	cancel()
	running.Wait()
	links := map[any]int{}
	for _, span := range recorded.Spans() {
		links[recording.Attributes(span.Attributes())["test.id"]] = len(span.Links())
	}
	if len(links) != 2 || links["broken"] != 0 || links["whole"] != 1 {
		t.Errorf("links by test are %v", links)
	}
}
