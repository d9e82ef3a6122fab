package worker_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/gateway"
	"tracewright/go-service/internal/recording"
	"tracewright/go-service/internal/testdb"
	"tracewright/go-service/postgres"
	"tracewright/go-service/worker"
)

const (
	producerTrace = "0af7651916cd43dd8448eb211c80319c"
	producerSpan  = "b7ad6b7169203331"
)

func event(cost string) testdb.Event {
	return testdb.Event{
		RunID: uuid.NewString(), Tenant: "acme", Agent: "researcher", Team: "research", CostUSD: cost,
		Traceparent: "00-" + producerTrace + "-" + producerSpan + "-01",
		Baggage:     "tenant.id=acme,test.id=t-1,session.id=s-1,coupon=secret",
	}
}

type fixture struct {
	url       string
	telemetry *recording.Recording
	db        *postgres.DB
	conn      *pgx.Conn
}

func setUp(t *testing.T) fixture {
	t.Helper()
	url, conn := testdb.New(t)
	recorded := recording.New(t)
	db, err := postgres.Open(t.Context(), url, recorded.Tracers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return fixture{url, recorded, db, conn}
}

// start runs a worker until the test, or the function that it returns, stops it.
func (f fixture) start(t *testing.T, queue gateway.Queue) (stop func()) {
	t.Helper()
	return f.startWith(t, queue, f.db.Listener())
}

func (f fixture) startWith(t *testing.T, queue gateway.Queue, notifier worker.Notifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { worker.New(queue, notifier, f.telemetry.Telemetry).Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

// eventually returns when the condition holds, which the worker makes true from its own goroutine.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		case <-poll.C:
		}
	}
}

func (f fixture) waiting(t *testing.T) int {
	t.Helper()
	var count int
	if err := f.conn.QueryRow(t.Context(), "SELECT count(*) FROM usage_events WHERE consumed_at IS NULL").Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

// notifiedOnly does not look at the queue from time to time: what is found was notified of, however slow the machine.
type notifiedOnly struct{ worker.Notifier }

func (n notifiedOnly) Wait(ctx context.Context, _ time.Duration) error {
	return n.Notifier.Wait(ctx, time.Hour)
}

func TestEventsAreDrainedAtStartAndOnNotification(t *testing.T) {
	f := setUp(t)
	testdb.Send(t, f.conn, event("0.000001"))
	testdb.Send(t, f.conn, event("0.010000"))
	f.startWith(t, f.db, notifiedOnly{f.db.Listener()})
	eventually(t, "the queue is empty", func() bool { return f.waiting(t) == 0 })

	testdb.Send(t, f.conn, event("0.100000"))
	eventually(t, "the queue is empty again", func() bool { return f.waiting(t) == 0 })
	if spend := testdb.Spend(t, f.conn, "acme", "research"); spend != "0.110001" {
		t.Errorf("spend is %s, want 0.110001", spend)
	}
	if spend := testdb.Spend(t, f.conn, "globex", "research"); spend != "0" {
		t.Errorf("another tenant's spend is %s, want 0", spend)
	}
}

func TestConsumerSpanLinksToTheProducerInATraceOfItsOwn(t *testing.T) {
	f := setUp(t)
	testdb.Send(t, f.conn, event("0.5"))
	stop := f.start(t, f.db)
	eventually(t, "the queue is empty", func() bool { return f.waiting(t) == 0 })
	stop()

	span := f.telemetry.Span(t, "process usage_events")
	if span.SpanKind() != trace.SpanKindConsumer {
		t.Errorf("kind is %s", span.SpanKind())
	}
	if span.Parent().IsValid() || span.SpanContext().TraceID().String() == producerTrace {
		t.Error("the span is in the producer's trace")
	}
	links := span.Links()
	if len(links) != 1 || links[0].SpanContext.TraceID().String() != producerTrace ||
		links[0].SpanContext.SpanID().String() != producerSpan {
		t.Errorf("links are %v", links)
	}
	for _, name := range []string{"process usage_events", "UPDATE budgets", "UPDATE usage_events"} {
		attributes := recording.Attributes(f.telemetry.Span(t, name).Attributes())
		for key, want := range map[string]any{"tenant.id": "acme", "test.id": "t-1", "session.id": "s-1", "coupon": nil} {
			if attributes[key] != want {
				t.Errorf("%s: %s is %v, want %v", name, key, attributes[key], want)
			}
		}
	}
	attributes := recording.Attributes(span.Attributes())
	for key, want := range map[string]any{
		"messaging.system": "postgresql", "messaging.destination.name": "usage_events",
		"messaging.operation.type": "process", "messaging.operation.name": "process",
	} {
		if attributes[key] != want {
			t.Errorf("%s is %v, want %v", key, attributes[key], want)
		}
	}
	update := f.telemetry.Span(t, "UPDATE budgets")
	if update.SpanKind() != trace.SpanKindClient || update.Parent().SpanID() != span.SpanContext().SpanID() {
		t.Errorf("UPDATE budgets is %s under %s", update.SpanKind(), update.Parent().SpanID())
	}
	if count := len(f.telemetry.Spans()); count != 3 {
		t.Errorf("%d spans, want 3: polling and listening leave none", count)
	}
	var inside int
	for _, record := range f.telemetry.Logs() {
		if record.SpanID() == span.SpanContext().SpanID() && record.Body().AsString() == "usage event counted" {
			inside++
		}
	}
	if inside != 1 {
		t.Errorf("%d records \"usage event counted\" inside the span, want 1", inside)
	}
}

func TestEventWithoutContextIsCountedWithoutALink(t *testing.T) {
	f := setUp(t)
	bare := event("0.5")
	bare.Traceparent, bare.Baggage = "", ""
	testdb.Send(t, f.conn, bare)
	stop := f.start(t, f.db)
	eventually(t, "the queue is empty", func() bool { return f.waiting(t) == 0 })
	stop()
	span := f.telemetry.Span(t, "process usage_events")
	if links := span.Links(); len(links) != 0 {
		t.Errorf("links are %v", links)
	}
	if tenant := recording.Attributes(span.Attributes())["tenant.id"]; tenant != "acme" {
		t.Errorf("tenant.id is %v, want the tenant of the row", tenant)
	}
}

func TestSpendOfATeamWithoutBudgetIsKept(t *testing.T) {
	f := setUp(t)
	if _, err := f.conn.Exec(t.Context(), "DELETE FROM budgets WHERE tenant_id = 'acme'"); err != nil {
		t.Fatal(err)
	}
	testdb.Send(t, f.conn, event("0.25"))
	testdb.Send(t, f.conn, event("0.25"))
	f.start(t, f.db)
	eventually(t, "the queue is empty", func() bool { return f.waiting(t) == 0 })
	if spend := testdb.Spend(t, f.conn, "acme", "research"); spend != "0.500000" {
		t.Errorf("spend is %s, want 0.50", spend)
	}
}

// killing hands out deliveries whose connection dies, once, at one step.
type killing struct {
	gateway.Queue
	kill func(ctx context.Context)
	step string
	once *sync.Once
}

type doomed struct {
	gateway.Delivery
	from killing
}

func (k killing) Receive(ctx context.Context) (gateway.Delivery, error) {
	delivery, err := k.Queue.Receive(ctx)
	if err != nil || delivery == nil {
		return delivery, err
	}
	k.at(ctx, "received")
	return doomed{delivery, k}, nil
}

func (d doomed) Charge(ctx context.Context) error {
	err := d.Delivery.Charge(ctx)
	d.from.at(ctx, "charged")
	return err
}

func (d doomed) Ack(ctx context.Context) error {
	err := d.Delivery.Ack(ctx)
	d.from.at(ctx, "acknowledged")
	return err
}

func (k killing) at(ctx context.Context, step string) {
	if step == k.step {
		k.once.Do(func() { k.kill(ctx) })
	}
}

func TestEventCountsOnceWhenTheConsumerIsKilled(t *testing.T) {
	for _, test := range []struct{ name, step string }{
		{"after it took the event", "received"},
		{"between the charge and the commit", "charged"},
		{"after the commit", "acknowledged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := setUp(t)
			testdb.Send(t, f.conn, event("0.125"))
			testdb.Send(t, f.conn, event("0.125"))
			var killed int
			stop := f.start(t, killing{Queue: f.db, step: test.step, once: &sync.Once{}, kill: func(context.Context) {
				killed = testdb.Kill(t, f.url) // PostgreSQL undoes what was not committed
			}})
			eventually(t, "the queue is empty", func() bool { return f.waiting(t) == 0 })
			stop()
			if killed == 0 {
				t.Fatal("nothing was killed: the test shows nothing")
			}
			if spend := testdb.Spend(t, f.conn, "acme", "research"); spend != "0.250000" {
				t.Errorf("spend is %s, want 0.25: an event was lost or counted twice", spend)
			}
		})
	}
}

func TestTwoConsumersShareTheQueueAndCountEachEventOnce(t *testing.T) {
	f := setUp(t)
	for range 60 {
		testdb.Send(t, f.conn, event("0.01"))
	}
	f.start(t, f.db)
	f.start(t, f.db)
	eventually(t, "the queue is empty", func() bool { return f.waiting(t) == 0 })
	if spend := testdb.Spend(t, f.conn, "acme", "research"); spend != "0.600000" {
		t.Errorf("spend is %s, want 0.60", spend)
	}
}

func TestEventInHandIsFinishedWhenTheWorkerIsStopped(t *testing.T) {
	f := setUp(t)
	testdb.Send(t, f.conn, event("0.75"))
	charged, resume := make(chan struct{}), make(chan struct{})
	stop := f.start(t, killing{Queue: f.db, step: "charged", once: &sync.Once{}, kill: func(context.Context) {
		close(charged)
		<-resume
	}})
	<-charged
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(resume)
	<-stopped
	if f.waiting(t) != 0 {
		t.Error("the event was left in the queue")
	}
	if span := f.telemetry.Span(t, "process usage_events"); span.Status().Code == codes.Error {
		t.Errorf("the span failed: %v", span.Status())
	}
}

// brokenQueue delivers one event that cannot be charged, then none.
type brokenQueue struct {
	once      sync.Once
	delivered chan struct{}
}

type brokenDelivery struct{ queue *brokenQueue }

func (q *brokenQueue) Receive(context.Context) (delivery gateway.Delivery, err error) {
	q.once.Do(func() { delivery = brokenDelivery{q} })
	return delivery, nil
}

func (brokenDelivery) Event() gateway.UsageEvent    { return gateway.UsageEvent{ID: 7, Tenant: "acme"} }
func (brokenDelivery) Charge(context.Context) error { return errors.New("disk full") }
func (brokenDelivery) Ack(context.Context) error    { return errors.New("acknowledged without a charge") }
func (d brokenDelivery) Release(context.Context)    { close(d.queue.delivered) }

type noNotifier struct{}

func (noNotifier) Wait(ctx context.Context, _ time.Duration) error { <-ctx.Done(); return ctx.Err() }
func (noNotifier) Close(context.Context)                           {}

func TestFailureIsRecordedOnceAndLoggedInsideTheSpan(t *testing.T) {
	recorded := recording.New(t)
	queue := &brokenQueue{delivered: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { worker.New(queue, noNotifier{}, recorded.Telemetry).Run(ctx) })
	<-queue.delivered
	cancel()
	running.Wait()

	if got := recorded.Exceptions(); !slices.Equal(got, []string{"process usage_events"}) {
		t.Errorf("exceptions on %v", got)
	}
	span := recorded.Span(t, "process usage_events")
	if span.Status().Code != codes.Error || recording.Attributes(span.Attributes())["error.type"] != "not_counted" {
		t.Errorf("status %v, attributes %v", span.Status(), span.Attributes())
	}
	var lines []string
	for _, line := range recorded.Lines(t) {
		if line["level"] == "ERROR" && line["trace_id"] == span.SpanContext().TraceID().String() {
			lines = append(lines, line["message"].(string))
		}
	}
	if !slices.Equal(lines, []string{"usage event not counted"}) {
		t.Errorf("errors logged: %v", lines)
	}
}

func TestGaugesShowWhatIsCommitted(t *testing.T) {
	f := setUp(t)
	if err := worker.ObserveSpend(f.telemetry.Meters, f.db); err != nil {
		t.Fatal(err)
	}
	testdb.Send(t, f.conn, event("0.5"))
	delivery, err := f.db.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := delivery.Charge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if spend := gauge(t, f, "team.spend"); spend != 0 {
		t.Errorf("spend is %v before the commit", spend)
	}
	if err := delivery.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if spend, budget := gauge(t, f, "team.spend"), gauge(t, f, "team.budget"); spend != 0.5 || budget <= spend {
		t.Errorf("spend is %v of %v after the commit", spend, budget)
	}
}

// gauge returns the value for acme's research team.
func gauge(t *testing.T, f fixture, name string) float64 {
	t.Helper()
	data, ok := f.telemetry.Metric(t, name).(metricdata.Gauge[float64])
	if !ok {
		t.Fatalf("%s is not a gauge", name)
	}
	for _, point := range data.DataPoints {
		attributes := recording.Attributes(point.Attributes.ToSlice())
		if attributes["tenant.id"] == "acme" && attributes["team"] == "research" {
			return point.Value
		}
	}
	t.Fatalf("%s has no point for acme's research team", name)
	return 0
}
