package org.xinyin.interop;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.OFDSigner;
import org.ofdrw.sign.SignMode;
import org.ofdrw.sign.signContainer.SESV4Container;
import org.ofdrw.sign.stamppos.NormalStampPos;
import org.ofdrw.sign.verify.OFDValidator;
import org.ofdrw.sign.verify.container.SESV4ValidateContainer;

/**
 * Seals and verifies documents again and again, for measurements beside it.
 *
 * <p>Usage: {@code OfdLoop PICTURE.png}. Reads lines {@code seal FILE N} and {@code verify FILE N} and answers each with
 * a line {@code done} after it has sealed the document, or verified the sealed one, N times. Nothing is kept.
 */
public final class OfdLoop {
    private OfdLoop() {}

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        Pki pki = new Pki();
        var seal = OfdSealer.sealOfTheFourthVersion(pki, Files.readAllBytes(Path.of(arguments[0])));
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            Path file = Path.of(words[1]);
            for (int count = Integer.parseInt(words[2]); count > 0; count--) {
                if (words[0].equals("seal")) {
                    seal(file, new SESV4Container(pki.signer.key(), seal, pki.signer.certificate()));
                } else {
                    verify(file);
                }
            }
            System.out.println("done");
        }
    }

    private static void seal(Path file, SESV4Container container) throws Exception {
        try (OFDReader reader = new OFDReader(file);
                OFDSigner signer = new OFDSigner(reader, new ByteArrayOutputStream())) {
            signer.setSignMode(SignMode.WholeProtected);
            signer.setSignContainer(container);
            signer.addApPos(new NormalStampPos(1, 120, 200, 40, 40));
            signer.exeSign();
        }
    }

    private static void verify(Path file) throws Exception {
        try (OFDReader reader = new OFDReader(file);
                OFDValidator validator = new OFDValidator(reader)) {
            validator.setValidator(new SESV4ValidateContainer());
            validator.exeValidate();
        }
    }
}
