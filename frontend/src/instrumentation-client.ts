// Next runs this in the browser before the page becomes interactive.
import { startTelemetry } from './browser/telemetry';

startTelemetry();
