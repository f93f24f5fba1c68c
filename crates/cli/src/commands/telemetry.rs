//! What the server tells of itself: its log on standard error, and traces where an OTLP endpoint is configured.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    runtime::Tokio,
    trace::{SdkTracerProvider, span_processor_with_async_runtime::BatchSpanProcessor},
};
use plimsoll_server::config::{Config, LogFormat};
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::SubscriberExt as _,
    registry::{LookupSpan, Registry},
    util::SubscriberInitExt as _,
};

use crate::{failure::Failure, output};

/// For one batch of spans to be sent.
const SENDING: Duration = Duration::from_secs(5);

type Any<S> = Box<dyn Layer<S> + Send + Sync>;

/// The process's subscriber.
pub(super) struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sets the subscriber up; once a process.
    pub(super) fn start(config: &Config) -> Result<Self, Failure> {
        let traces = config.otlp_endpoint.as_deref().map(provider).transpose()?;
        let logged: Targets = config.log.parse().map_err(|cause| {
            let words = "levels such as \"info\", or of a part alone, \"info,plimsoll_store=debug\"";
            Failure::usage(format!("log: {:?} is not understood: {cause}; give {words}", config.log))
        })?;
        let done = match &traces {
            // What filters for all layers at once is asked once a place in the code, not at every call.
            None => tracing_subscriber::registry().with(logged).with(log(config)).try_init(),
            Some(provider) => {
                // Our own spans, whatever the log leaves out; those of the sender would send themselves for ever.
                let traced = Targets::new().with_target("plimsoll", Level::INFO);
                let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("plimsoll"));
                let layers: Vec<Any<Registry>> =
                    vec![log(config).with_filter(logged).boxed(), traces.with_filter(traced).boxed()];
                tracing_subscriber::registry().with(layers).try_init()
            }
        };
        done.map_err(|cause| Failure::system(format!("the log cannot be set up: {cause}")))?;
        Ok(Self { traces })
    }

    /// Sends what was not sent yet.
    pub(super) async fn end(self) {
        let Some(provider) = self.traces else { return };
        // It waits for the sender, which runs on this runtime.
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(SENDING)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("the last traces may not have been sent");
        }
    }
}

fn log<S: Subscriber + for<'a> LookupSpan<'a>>(config: &Config) -> Any<S> {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => layer.with_ansi(output::at_terminal() && !no_colour()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, Failure> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "otlpEndpoint: {endpoint:?} cannot be used: {cause}; give a URL such as http://localhost:4318"
        ))
    };
    let url: url::Url = endpoint.parse().map_err(|cause| wrong(&cause))?;
    let url = url.join("/v1/traces").map_err(|cause| wrong(&cause))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url.as_str())
        .with_timeout(SENDING)
        .build()
        .map_err(|cause| wrong(&cause))?;
    let resource = Resource::builder().with_service_name("plimsoll").build();
    let processor = BatchSpanProcessor::builder(exporter, Tokio).build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_span_processor(processor).build())
}
