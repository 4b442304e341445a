package org.xinyin.interop;

import eu.europa.esig.dss.diagnostic.DiagnosticData;
import eu.europa.esig.dss.diagnostic.SignatureWrapper;
import eu.europa.esig.dss.enumerations.Indication;
import eu.europa.esig.dss.enumerations.SubIndication;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.pades.validation.PDFDocumentValidator;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonCertificateSource;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.validation.reports.Reports;
import java.io.File;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Judges the first signature of a PDF with the European Commission's DSS (ETSI EN 319 102-1).
 *
 * <p>Usage: {@code DssJudge FILE.pdf ROOT.pem ISSUING.pem [CRL...]}. Prints one JSON object: {@code indication},
 * {@code sub}, {@code format}, {@code intact}, {@code whole} (the ByteRange covers the whole file), {@code problem}.
 */
public final class DssJudge {
    private DssJudge() {}

    public static void main(String[] arguments) throws Exception {
        CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
        trusted.addCertificate(DSSUtils.loadCertificate(new File(arguments[1])));
        CommonCertificateSource issuing = new CommonCertificateSource();
        issuing.addCertificate(DSSUtils.loadCertificate(new File(arguments[2])));
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setTrustedCertSources(trusted);
        verifier.setAdjunctCertSources(issuing);
        verifier.setAIASource(null);
        if (arguments.length > 3) {
            InputStream[] lists = new InputStream[arguments.length - 3];
            for (int index = 3; index < arguments.length; index++) {
                lists[index - 3] = Files.newInputStream(Path.of(arguments[index]));
            }
            verifier.setCrlSource(new ExternalResourcesCRLSource(lists));
        }
        PDFDocumentValidator validator = new PDFDocumentValidator(new FileDocument(arguments[0]));
        validator.setCertificateVerifier(verifier);
        try {
            Reports reports = validator.validateDocument();
            SimpleReport simple = reports.getSimpleReport();
            String id = simple.getFirstSignatureId();
            DiagnosticData diagnostic = reports.getDiagnosticData();
            SignatureWrapper signature = diagnostic.getSignatureById(id);
            Indication indication = simple.getIndication(id);
            SubIndication sub = simple.getSubIndication(id);
            System.out.printf(
                    "{\"indication\": \"%s\", \"sub\": \"%s\", \"format\": \"%s\", \"intact\": %b, \"whole\": %b,"
                            + " \"problem\": %s}%n",
                    indication,
                    sub,
                    simple.getSignatureFormat(id),
                    signature.isSignatureIntact() && signature.isSignatureValid(),
                    coversAll(signature, new File(arguments[0])) && !signature.arePdfModificationsDetected(),
                    quote(simple.getAdESValidationErrors(id).toString()));
        } catch (Exception failure) {
            System.out.printf("{\"indication\": \"NONE\", \"problem\": %s}%n", quote(failure.toString()));
        }
        System.exit(0);
    }

    /** Whether the ByteRange that DSS found ends where the file ends. */
    private static boolean coversAll(SignatureWrapper signature, File file) {
        List<BigInteger> range = signature.getSignatureByteRange();
        BigInteger end = range.get(range.size() - 2).add(range.get(range.size() - 1));
        return signature.isSignatureByteRangeValid() && end.equals(BigInteger.valueOf(file.length()));
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            if (character == '"' || character == '\\') {
                quoted.append('\\').append(character);
            } else if (character < ' ' || character > '~') {
                quoted.append(String.format("\\u%04x", (int) character));
            } else {
                quoted.append(character);
            }
        }
        return quoted.append('"').toString();
    }
}
